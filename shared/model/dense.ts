import type { ACTIVATIONS } from "../contract/bundle.ts";

export type Activation = (typeof ACTIVATIONS)[number];

export interface DenseLayer {
  readonly units: number;
  readonly activation: Activation;
}

/** A stack of dense layers, ready to run. */
export interface Dense {
  /** The outputs of the last layer: a buffer of this network, overwritten by the next run. Allocates nothing. */
  run(input: Float64Array): Float64Array;
}

interface PackedLayer extends DenseLayer {
  readonly inputs: number;
  readonly kernel: Float32Array;
  readonly bias: Float32Array;
  readonly output: Float64Array;
}

/** Units that one pass over the inputs computes: four independent sums keep the processor's adder busy. */
const LANES = 4;

/** How many weights dense layers take: for each layer its kernel, then its bias. */
export function denseWeightCount(layers: readonly DenseLayer[], inputs: number): number {
  let count = 0;
  let width = inputs;
  for (const { units } of layers) {
    count += width * units + units;
    width = units;
  }
  return count;
}

/**
 * Prepares dense layers for running.
 *
 * `weights` holds for each layer its kernel [inputs x units], row-major by input, then its bias [units], as in
 * shared/contract/bundle.ts. Weights are single precision, sums and activations double, always added in the order of
 * the inputs: the same inputs give the same bits on every machine with the same JavaScript engine.
 */
export function createDense(layers: readonly DenseLayer[], inputs: number, weights: Float32Array): Dense {
  const expected = denseWeightCount(layers, inputs);
  if (weights.length !== expected)
    throw new RangeError(`the layers take ${expected} weights, got ${weights.length}`);
  const packed: PackedLayer[] = [];
  let width = inputs;
  let position = 0;
  for (const layer of layers) {
    const kernelEnd = position + width * layer.units;
    packed.push(packLayer(layer, width, weights.subarray(position, kernelEnd + layer.units)));
    position = kernelEnd + layer.units;
    width = layer.units;
  }
  const outputs = packed.map((layer) => layer.output.subarray(0, layer.units));
  const last = outputs.at(-1);
  return {
    run(input) {
      let values = input;
      for (const layer of packed) {
        multiply(layer, values);
        activate(layer);
        values = layer.output;
      }
      return last ?? input;
    },
  };
}

/** Lays a kernel out in blocks of LANES units, so that running reads it from front to back; the rest is zeros. */
function packLayer(layer: DenseLayer, inputs: number, weights: Float32Array): PackedLayer {
  const { units } = layer;
  const padded = Math.ceil(units / LANES) * LANES;
  const kernel = new Float32Array(padded * inputs);
  const bias = new Float32Array(padded);
  bias.set(weights.subarray(inputs * units));
  for (let unit = 0; unit < units; unit++) {
    const block = Math.floor(unit / LANES);
    for (let input = 0; input < inputs; input++)
      kernel[(block * inputs + input) * LANES + (unit % LANES)] = weights[input * units + unit] ?? 0;
  }
  return { ...layer, inputs, kernel, bias, output: new Float64Array(padded) };
}

function multiply({ kernel, bias, output, inputs, units }: PackedLayer, values: Float64Array): void {
  let position = 0;
  for (let unit = 0; unit < units; unit += LANES) {
    let a = bias[unit] ?? 0;
    let b = bias[unit + 1] ?? 0;
    let c = bias[unit + 2] ?? 0;
    let d = bias[unit + 3] ?? 0;
    for (let input = 0; input < inputs; input++, position += LANES) {
      const value = values[input] ?? 0;
      a += value * (kernel[position] ?? 0);
      b += value * (kernel[position + 1] ?? 0);
      c += value * (kernel[position + 2] ?? 0);
      d += value * (kernel[position + 3] ?? 0);
    }
    output[unit] = a;
    output[unit + 1] = b;
    output[unit + 2] = c;
    output[unit + 3] = d;
  }
}

function activate({ activation, output, units }: PackedLayer): void {
  switch (activation) {
    case "linear":
      return;
    case "relu":
      // NaN stays NaN: an overflow must reach the score and not become an inactive unit.
      for (let i = 0; i < units; i++) if ((output[i] ?? 0) < 0) output[i] = 0;
      return;
    case "tanh":
      for (let i = 0; i < units; i++) output[i] = Math.tanh(output[i] ?? 0);
      return;
    case "sigmoid":
      for (let i = 0; i < units; i++) output[i] = 1 / (1 + Math.exp(-(output[i] ?? 0)));
  }
}
