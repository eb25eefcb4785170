/** A number for a person: whole, with separators. */
export const count = (value: number): string => Math.round(value).toLocaleString("en");

/** Bytes with the unit that reads best. */
export function inBytes(value: number): string {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
  let size = value;
  let unit = 0;
  while (size >= 1_024 && unit < units.length - 1) {
    size /= 1_024;
    unit++;
  }
  return `${unit === 0 ? Math.round(size) : size.toFixed(1)} ${units[unit]}`;
}
