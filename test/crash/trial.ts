import type { GatewayStatus } from "@sluice/edge/status/gateway-status.ts";
import { present } from "@sluice/shared/runtime/assert.ts";
import { systemClock } from "@sluice/shared/runtime/clock.ts";
import { type Random, seededRandom } from "@sluice/shared/runtime/random.ts";
import { Device, type DeviceOptions, ranges } from "./device.ts";
import type { Machine, Orders } from "./machine.ts";
import { type Program, until } from "./programs.ts";
import { Site, type SiteOptions, startMs } from "./site.ts";

/** One run of a scenario on a site of its own; everything that it does follows from the seed. */
export interface TrialResult {
  readonly scenario: string;
  readonly seed: number;
  /** How many kills were to be, and were. */
  readonly wanted: number;
  readonly kills: number;
  /** Readings whose publish was acknowledged. */
  readonly acknowledged: number;
  /** Those of them that are in the lake's table. */
  readonly found: number;
  /** What the gateway itself says is not there: lost with a damaged file, or given up for room. */
  readonly reported: number;
  /** Neither found nor reported. */
  readonly lost: number;
  /** Readings that are in the lake's table more than once. */
  readonly duplicated: number;
  readonly resent: number;
  /** From each kill to the next acknowledgement. */
  readonly recoverMs: readonly number[];
  /** How many of the kills were at the point that was ordered; undefined where none was. */
  readonly points: number | undefined;
  /** What must not be, in words. */
  readonly failures: readonly string[];
  /** Where it can be looked at; undefined where it is removed. */
  readonly dir: string | undefined;
}

export interface TrialOptions {
  readonly scenario: string;
  readonly seed: number;
  readonly kills: number;
}

export type TrialSite = SiteOptions & { readonly qos?: 1 | 2; readonly device?: Partial<DeviceOptions> };

const DEVICES = 3;

/** So many kill points cannot all be missed by chance. */
const POINTS_TRIED_MIN = 5;

/** A gateway that is killed again and again while devices publish, and the count at the end. */
export class Trial {
  readonly random: Random;
  /** How many kills are wanted. */
  readonly wanted: number;
  readonly failures: string[] = [];
  readonly devices: Device[] = [];
  kills = 0;
  readonly #options: TrialOptions;
  readonly #recoverMs: number[] = [];
  #killedUs: number | undefined;
  #acknowledgements = 0;
  #points: number | undefined;
  #site: Site | undefined;
  #gateway: Program | undefined;

  constructor(options: TrialOptions) {
    this.#options = options;
    this.random = seededRandom(options.seed);
    this.wanted = options.kills;
  }

  get site(): Site {
    return present(this.#site, "the trial has begun");
  }

  get machine(): Machine {
    return present(this.site.machine, "a scenario that orders failures needs a C compiler");
  }

  get acknowledged(): number {
    return this.devices.reduce((sum, { acknowledged }) => sum + acknowledged.size, 0);
  }

  /** Makes the site and lets the devices begin. */
  async begin(options: TrialSite = {}): Promise<Site> {
    const site = await this.prepare(options);
    this.publish();
    return site;
  }

  /** Makes the site and the devices, which do nothing yet. */
  async prepare(options: TrialSite): Promise<Site> {
    const { qos = 1, device } = options;
    this.#site = await Site.make(options);
    const begin = startMs();
    for (let i = 0; i < DEVICES; i++)
      this.devices.push(
        new Device({
          name: `pump-${i}`,
          broker: this.site.mqtt,
          qos,
          random: seededRandom(this.#options.seed * 100 + i),
          startMs: begin,
          acknowledged: () => this.acknowledgement(),
          ...device,
        }),
      );
    return this.site;
  }

  publish(): void {
    for (const device of this.devices) device.start();
  }

  start(orders: Orders = {}, script?: string): Program {
    this.#gateway = this.site.start(orders, script);
    return this.#gateway;
  }

  /** Waits until the gateway has acknowledged something new; false where it ended before. */
  async working(gateway: Program, count = 1): Promise<boolean> {
    const before = this.#acknowledgements;
    await until(
      "the gateway acknowledges",
      () => gateway.end !== undefined || this.#acknowledgements >= before + count,
      { evidence: () => gateway.printed.stderr },
    );
    return gateway.end === undefined;
  }

  /** Kills it, if it is not dead already as was ordered. Throws where it has ended by itself. */
  async kill(gateway: Program): Promise<void> {
    const { signal, code } = await gateway.kill();
    this.noteKill();
    if (signal === "SIGKILL") return;
    throw new Error(`the gateway ended by itself with ${code ?? signal}: ${gateway.printed.stderr}`);
  }

  noteKill(): void {
    this.kills += 1;
    this.#killedUs = systemClock.monotonicUs();
  }

  /** How many kill points were reached; where none is, in many tries, the scenario shows nothing. */
  notePoints(reached: number): void {
    this.#points = reached;
    if (reached === 0 && this.kills >= POINTS_TRIED_MIN)
      this.failures.push(`none of ${this.kills} kill points was reached`);
  }

  /** To be called at each acknowledgement. */
  acknowledgement(): void {
    this.#acknowledgements += 1;
    if (this.#killedUs === undefined) return;
    this.#recoverMs.push((systemClock.monotonicUs() - this.#killedUs) / 1_000);
    this.#killedUs = undefined;
  }

  sleep(msMax: number): Promise<void> {
    return systemClock.sleep(this.random.next() * msMax);
  }

  /** Brings everything that is on its way home, waits until it is `settled`, and stops the gateway. */
  async drain({
    settled,
    ...orders
  }: Orders & { readonly settled?: () => Promise<void> } = {}): Promise<GatewayStatus> {
    const gateway =
      this.#gateway?.end === undefined ? present(this.#gateway, "a gateway runs") : this.start(orders);
    // Who is killed while starting again and again has shown nothing yet.
    await this.working(gateway);
    for (const device of this.devices) device.pause();
    const waiting = (): number => this.devices.reduce((sum, { unacknowledged }) => sum + unacknowledged, 0);
    await until("everything is acknowledged", () => waiting() === 0 || gateway.end !== undefined, {
      evidence: () => `${waiting()} are not; ${gateway.printed.stderr}`,
    });
    await gateway.firstLine();
    await settled?.();
    const status = await this.site.drained(gateway);
    gateway.signal("SIGTERM");
    const { code, signal } = await gateway.ended;
    if (code !== 0) this.failures.push(`the stop ended with ${code ?? signal}: ${gateway.printed.stderr}`);
    return status;
  }

  /** Counts, and says what must not be. Damage is a failure unless it was ordered. */
  async result(status: GatewayStatus, { damaged = false, mayLose = false } = {}): Promise<TrialResult> {
    const { scenario, seed } = this.#options;
    const found = await this.site.count(this.devices);
    const missing = this.devices.map(({ name }) => ({ name, numbers: found.get(name)?.missing ?? [] }));
    const doubled = this.devices.map(({ name }) => ({ name, numbers: found.get(name)?.doubled ?? [] }));
    const notFound = missing.reduce((sum, { numbers }) => sum + numbers.length, 0);
    const duplicated = doubled.reduce((sum, { numbers }) => sum + numbers.length, 0);
    const reported = status.counters["lost"] ?? 0;
    const { damages } = status.buffer;
    if (!damaged && damages.length > 0) this.failures.push(`damage: ${JSON.stringify(damages)}`);
    if (!mayLose && notFound !== reported) {
      this.failures.push(`${notFound} readings are not found, ${reported} are reported as lost`);
      for (const { name, numbers } of missing)
        if (numbers.length > 0) this.failures.push(`${name} misses ${ranges(numbers)}`);
    }
    for (const { name, numbers } of doubled)
      if (numbers.length > 0) this.failures.push(`${name} has twice ${ranges(numbers)}`);
    return {
      scenario,
      seed,
      wanted: this.wanted,
      kills: this.kills,
      acknowledged: this.acknowledged,
      found: this.acknowledged - notFound,
      reported,
      lost: notFound - reported,
      duplicated,
      resent: this.devices.reduce((sum, { resent }) => sum + resent, 0),
      recoverMs: this.#recoverMs,
      points: this.#points,
      failures: this.failures,
      dir: this.failures.length > 0 ? this.site.dir : undefined,
    };
  }

  /** What is known of a trial that broke off. */
  broken(): TrialResult {
    const { scenario, seed } = this.#options;
    const counts = { found: 0, reported: 0, lost: 0, duplicated: 0, resent: 0 };
    const { wanted, kills, acknowledged, failures } = this;
    return {
      scenario,
      seed,
      wanted,
      kills,
      acknowledged,
      ...counts,
      recoverMs: [],
      points: this.#points,
      failures,
      dir: this.#site?.dir,
    };
  }

  /** Ends what runs; the folder stays where something failed. */
  async close(): Promise<void> {
    await Promise.all(this.devices.map((device) => device.stop()));
    await this.#gateway?.kill();
    const isKept = this.failures.length > 0;
    this.#site?.unmountDisk(isKept);
    if (!isKept) this.#site?.remove();
  }
}
