import type { Random } from "@sluice/shared/runtime/random.ts";
import { seededRandom } from "@sluice/shared/runtime/random.ts";
import { bearingFrequencies, BEARING_6309 } from "./bearing.ts";
import type { PlantCommand } from "./control.ts";
import { ambientAt, demandAt } from "./demand.ts";
import type { DemandProfile } from "./demand.ts";
import { severitiesAt } from "./fault.ts";
import type { Fault } from "./fault.ts";
import { buildPump, settledPump, stepPump } from "./pump.ts";
import type { PumpBuild, PumpLoad, PumpPoint, PumpState } from "./pump.ts";
import { rubbish, RUBBISH_KINDS } from "./rubbish.ts";
import { byMetric, readSensor, SENSORS } from "./sensor.ts";
import type { Metric, SensorState } from "./sensor.ts";
import { SAMPLE_RATE_HZ, synthesizeVibration } from "./vibration.ts";
import { measureVibration } from "./vibration-measures.ts";

export interface PlantOptions {
  readonly seed: number;
  readonly pumps: number;
  readonly demand: DemandProfile;
  /** How often a reading is missing, from 0 to 1. */
  readonly dropout: number;
  /** How often a message is followed by a bad one, from 0 to 1. */
  readonly rubbish: number;
}

/** Faults that are remembered: years of breaking and repairing; the oldest are forgotten first. */
const FAULTS_MAX = 10_000;

export interface PlantMessage {
  readonly topic: string;
  readonly payload: string;
}

interface Pump {
  readonly device: string;
  readonly build: PumpBuild;
  state: PumpState;
  sensors: Readonly<Record<Metric, SensorState>>;
}

/** Everything that a plant must remember to go on exactly where it was. */
export interface PlantState {
  readonly formatVersion: 1;
  readonly seed: number;
  readonly steps: number;
  readonly nowUs: number;
  readonly pumps: readonly { readonly state: PumpState; readonly sensors: Pump["sensors"] }[];
  readonly faults: readonly Fault[];
  readonly rubbish: Readonly<Record<string, number>>;
}

const deviceName = (position: number): string => `pump-${position + 1}`;

/**
 * A number of pumps and their sensors.
 *
 * The same seed, the same commands and the same moments give the same messages, bit for bit, also across `state` and
 * a restart: every step draws from a generator of its own, made from seed, pump and step.
 */
export class Plant {
  readonly devices: readonly string[];
  readonly #options: PlantOptions;
  readonly #pumps: readonly Pump[];
  #steps = 0;
  #nowUs: number;
  #faults: readonly Fault[] = [];
  #rubbish: Record<string, number> = {};

  /** A plant that has been running for long at `nowUs`, or that goes on from an earlier state. */
  constructor(options: PlantOptions, nowUs: number, earlier?: PlantState) {
    this.#options = options;
    this.#nowUs = earlier?.nowUs ?? nowUs;
    this.#pumps = Array.from({ length: options.pumps }, (_, i) => this.#createPump(i));
    this.devices = this.#pumps.map(({ device }) => device);
    if (earlier === undefined) return;
    this.#steps = earlier.steps;
    this.#faults = earlier.faults;
    this.#rubbish = { ...earlier.rubbish };
    for (const [i, { state, sensors }] of earlier.pumps.entries()) {
      const pump = this.#pumps[i];
      if (pump === undefined) continue;
      pump.state = state;
      pump.sensors = sensors;
    }
  }

  /** Lets time pass until `nowUs` and says what the pumps' sensors publish then, one message a pump. */
  step(nowUs: number): readonly PlantMessage[] {
    const dtS = Math.max(0, (nowUs - this.#nowUs) / 1e6);
    this.#nowUs = nowUs;
    const messages = this.#pumps.flatMap((pump, i) => {
      const random = this.#random(i, this.#steps + 1);
      return this.#messages(pump, nowUs, dtS, random);
    });
    this.#steps++;
    return messages;
  }

  /** Does what it is told; breaking what is broken in the same way and repairing what is whole change nothing. */
  obey(command: PlantCommand, nowUs: number): void {
    const { device } = command;
    if (command.command === "repair") {
      this.#faults = this.#faults.map((fault) =>
        fault.device === device && fault.toUs === undefined ? { ...fault, toUs: nowUs } : fault,
      );
      return;
    }
    const { fault: kind, overS, metric } = command;
    const same = (fault: Fault): boolean =>
      fault.device === device && fault.kind === kind && fault.toUs === undefined;
    if (this.#faults.some(same)) return;
    const fault = { device, kind, fromUs: nowUs, toUs: undefined, overS, metric };
    this.#faults = [...this.#faults.slice(1 - FAULTS_MAX), fault];
  }

  /** The truth about every fault so far. */
  faults(): readonly Fault[] {
    return this.#faults;
  }

  /** Bad messages published so far, by kind. */
  rubbishCounts(): Readonly<Record<string, number>> {
    return { ...this.#rubbish };
  }

  state(): PlantState {
    return {
      formatVersion: 1,
      seed: this.#options.seed,
      steps: this.#steps,
      nowUs: this.#nowUs,
      pumps: this.#pumps.map(({ state, sensors }) => ({ state, sensors })),
      faults: this.#faults,
      rubbish: this.rubbishCounts(),
    };
  }

  #createPump(position: number): Pump {
    const random = this.#random(position, 0);
    const build = buildPump(random, position / Math.max(1, this.#options.pumps));
    const load = {
      demand: 0.85,
      ambientC: ambientAt(this.#options.demand, this.#nowUs),
      bearing: 0,
      cavitation: 0,
      valve: 0,
    };
    const fresh = (): SensorState => ({ drift: random.normal(), last: undefined });
    return {
      device: deviceName(position),
      build,
      state: settledPump(build, load),
      sensors: byMetric(fresh),
    };
  }

  #messages(pump: Pump, nowUs: number, dtS: number, random: Random): PlantMessage[] {
    const severities = severitiesAt(this.#faults, pump.device, nowUs);
    const load: PumpLoad = {
      demand: demandAt(this.#options.demand, nowUs, pump.build.phase),
      ambientC: ambientAt(this.#options.demand, nowUs),
      ...severities,
    };
    const point = stepPump(pump.build, pump.state, load, dtS);
    pump.state = point.state;
    const truths = measure(pump, point, load, random);
    const stuck = this.#faults.find(
      ({ device, kind, toUs }) => device === pump.device && kind === "sensor" && toUs === undefined,
    );
    const measuredAtMs = Math.round(nowUs / 1_000);
    const fields: Record<string, number> = { ts: measuredAtMs };
    pump.sensors = byMetric((metric) => {
      const { state, value } = readSensor(SENSORS[metric], pump.sensors[metric], truths[metric], {
        random,
        dtS,
        dropout: this.#options.dropout,
        stuck: stuck !== undefined && (stuck.metric ?? "vibration_rms_g") === metric,
      });
      if (value !== undefined) fields[metric] = value;
      return state;
    });
    const topic = `plant/${pump.device}/telemetry`;
    const good = { topic, payload: JSON.stringify(fields) };
    // Drawn last, so that asking for rubbish does not change what is measured.
    if (random.next() >= this.#options.rubbish) return [good];
    const kind = RUBBISH_KINDS[random.int(RUBBISH_KINDS.length)] ?? "empty";
    this.#rubbish[kind] = (this.#rubbish[kind] ?? 0) + 1;
    return [good, { topic, payload: rubbish(kind, measuredAtMs, random) }];
  }

  #random(pump: number, step: number): Random {
    return seededRandom(
      Math.imul(this.#options.seed, 0x9e3779b1) ^
        Math.imul(pump + 1, 0x85ebca6b) ^
        Math.imul(step, 0xc2b2ae35),
    );
  }
}

/** The true values behind the metrics. */
function measure(pump: Pump, point: PumpPoint, load: PumpLoad, random: Random): Record<Metric, number> {
  const shaftHz = point.state.speedRpm / 60;
  const block = synthesizeVibration(
    {
      build: pump.build,
      shaftHz,
      shaftTurns: point.state.shaftTurns,
      bearing: bearingFrequencies(BEARING_6309, shaftHz),
      flowRatio: point.flowRatio,
      bearingSeverity: load.bearing,
      cavitationSeverity: load.cavitation,
    },
    random,
  );
  const { rmsG, velocityMmS, envelopeG } = measureVibration(block, SAMPLE_RATE_HZ);
  // Vapour in the impeller comes and goes.
  const surge = 1 + 0.04 * load.cavitation * random.normal();
  return {
    vibration_rms_g: rmsG,
    vibration_velocity_mm_s: velocityMmS,
    vibration_envelope_g: envelopeG,
    current_a: point.currentA,
    pressure_bar: point.pressureBar * surge,
    bearing_temp_c: point.state.bearingTempC,
    flow_m3_h: point.flowM3h * surge,
    speed_rpm: point.state.speedRpm,
  };
}
