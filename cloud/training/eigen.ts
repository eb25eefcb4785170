/** Eigenvalues, largest first, and their unit vectors: `vectors` row-major, one row per eigenvalue. */
export interface Eigen {
  readonly values: Float64Array;
  readonly vectors: Float64Array;
}

/** Sweeps converge quadratically: 10 serve matrices of any size in practice; this is the end of patience. */
const SWEEPS_MAX = 60;

/**
 * All eigenvalues and eigenvectors of a symmetric matrix [n x n] by cyclic Jacobi rotations (Golub & Van Loan,
 * Matrix Computations, section 8.5).
 *
 * Deterministic: a fixed order of rotations, the sign of each vector chosen so that its largest entry is positive.
 */
export function eigenSymmetric(matrix: Float64Array, n: number): Eigen {
  const a = Float64Array.from(matrix);
  const vectors = new Float64Array(n * n);
  for (let i = 0; i < n; i++) vectors[i * n + i] = 1;
  const total = squaredNorm(a);
  for (let sweep = 0; sweep < SWEEPS_MAX && offDiagonal(a, n) > total * 1e-28; sweep++)
    for (let p = 0; p < n - 1; p++) for (let q = p + 1; q < n; q++) rotate(a, vectors, { n, p, q });
  const order = Array.from({ length: n }, (_, i) => i).sort(
    (i, j) => (a[j * n + j] ?? 0) - (a[i * n + i] ?? 0) || i - j,
  );
  const sorted = new Float64Array(n * n);
  for (const [rank, i] of order.entries()) sorted.set(signed(vectors.subarray(i * n, (i + 1) * n)), rank * n);
  return { values: Float64Array.from(order, (i) => a[i * n + i] ?? 0), vectors: sorted };
}

/** One rotation that makes a[p, q] zero; eigenvectors are kept as rows, so that both loops run along memory. */
function rotate(a: Float64Array, vectors: Float64Array, at: { n: number; p: number; q: number }): void {
  const { n, p, q } = at;
  const apq = a[p * n + q] ?? 0;
  if (apq === 0) return;
  const tau = ((a[q * n + q] ?? 0) - (a[p * n + p] ?? 0)) / (2 * apq);
  const t = (tau >= 0 ? 1 : -1) / (Math.abs(tau) + Math.sqrt(1 + tau * tau));
  const c = 1 / Math.sqrt(1 + t * t);
  const s = t * c;
  for (let k = 0; k < n; k++) {
    const kp = a[k * n + p] ?? 0;
    const kq = a[k * n + q] ?? 0;
    a[k * n + p] = c * kp - s * kq;
    a[k * n + q] = s * kp + c * kq;
  }
  turnRows(a, at, { c, s });
  turnRows(vectors, at, { c, s });
  a[p * n + q] = 0;
  a[q * n + p] = 0;
}

function turnRows(
  matrix: Float64Array,
  { n, p, q }: { n: number; p: number; q: number },
  { c, s }: { c: number; s: number },
): void {
  for (let k = 0; k < n; k++) {
    const pk = matrix[p * n + k] ?? 0;
    const qk = matrix[q * n + k] ?? 0;
    matrix[p * n + k] = c * pk - s * qk;
    matrix[q * n + k] = s * pk + c * qk;
  }
}

function squaredNorm(a: Float64Array): number {
  let sum = 0;
  for (const value of a) sum += value * value;
  return sum;
}

function offDiagonal(a: Float64Array, n: number): number {
  let sum = 0;
  for (let p = 0; p < n; p++) for (let q = p + 1; q < n; q++) sum += 2 * (a[p * n + q] ?? 0) ** 2;
  return sum;
}

function signed(vector: Float64Array): Float64Array {
  let largest = 0;
  for (const value of vector) if (Math.abs(value) > Math.abs(largest)) largest = value;
  return largest < 0 ? vector.map((value) => -value) : vector;
}
