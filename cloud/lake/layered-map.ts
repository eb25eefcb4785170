/** A value of a layer; undefined: the key is gone. */
type Layer<V> = ReadonlyMap<string, V | undefined>;

/**
 * A map that never changes, and whose next version costs about as much as what differs, not as much as the map.
 *
 * Layers lie on top of each other, each less than half as large as the one below it; two that are not are merged. So
 * there are few of them, and a key is copied as many times as there are. What is in the oldest layer comes first.
 */
export class LayeredMap<V> implements ReadonlyMap<string, V> {
  readonly #layers: readonly Layer<V>[];
  readonly size: number;

  private constructor(layers: readonly Layer<V>[], size: number) {
    this.#layers = layers;
    this.size = size;
  }

  static of<V>(entries: Iterable<readonly [string, V]> = []): LayeredMap<V> {
    const layer = new Map(entries);
    return new LayeredMap<V>(layer.size === 0 ? [] : [layer], layer.size);
  }

  /** The map with these changes; undefined takes a key away. */
  with(changes: Layer<V>): LayeredMap<V> {
    if (changes.size === 0) return this;
    let { size } = this;
    for (const [key, value] of changes) size += Number(value !== undefined) - Number(this.has(key));
    const layers = [...this.#layers, changes];
    for (let top = layers.length - 1; top > 0; top--) {
      const [below, above] = [layers[top - 1], layers[top]];
      if (below === undefined || above === undefined || above.size * 2 <= below.size) break;
      layers.splice(top - 1, 2, merge(below, above, top === 1));
    }
    return new LayeredMap(layers, size);
  }

  get(key: string): V | undefined {
    for (let i = this.#layers.length - 1; i >= 0; i--) {
      const layer = this.#layers[i];
      const value = layer?.get(key);
      if (value !== undefined || layer?.has(key) === true) return value;
    }
    return undefined;
  }

  has(key: string): boolean {
    return this.get(key) !== undefined;
  }

  *entries(): MapIterator<[string, V]> {
    for (const [i, layer] of this.#layers.entries()) {
      const above = this.#layers.slice(i + 1);
      for (const [key, value] of layer)
        if (value !== undefined && !above.some((newer) => newer.has(key))) yield [key, value];
    }
  }

  *keys(): MapIterator<string> {
    for (const [key] of this.entries()) yield key;
  }

  *values(): MapIterator<V> {
    for (const [, value] of this.entries()) yield value;
  }

  [Symbol.iterator](): MapIterator<[string, V]> {
    return this.entries();
  }

  forEach(each: (value: V, key: string, map: ReadonlyMap<string, V>) => void): void {
    for (const [key, value] of this.entries()) each(value, key, this);
  }
}

/** Keys that are gone are forgotten at the bottom, where nothing is below that they hide. */
function merge<V>(below: Layer<V>, above: Layer<V>, atBottom: boolean): Layer<V> {
  const merged = new Map(below);
  for (const [key, value] of above) {
    merged.delete(key);
    if (value !== undefined || !atBottom) merged.set(key, value);
  }
  return merged;
}
