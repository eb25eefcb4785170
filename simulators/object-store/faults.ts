import type { S3Request } from "./request.ts";

/** What goes wrong, and when. */
export type Fault = FaultKind & {
  /** Which requests; left out, all of them. */
  readonly method?: string;
  readonly key?: RegExp;
  /** How many of them; left out, one. */
  readonly count?: number;
};

export type FaultKind =
  /** The answer comes late. */
  | { readonly kind: "slow"; readonly ms: number }
  /** The connection closes before anything is done. */
  | { readonly kind: "cut" }
  /** An error answer, such as 503 SlowDown or 409 ConditionalRequestConflict; nothing is done. */
  | { readonly kind: "refuse"; readonly status: number; readonly code: string }
  /** The request is carried out, but the connection closes before the answer. */
  | { readonly kind: "lost-reply" }
  /** The connection closes in the middle of the answer's body. */
  | { readonly kind: "torn-read" };

/** The faults that are still to come, in the order in which they were ordered. */
export class FaultOrders {
  #orders: { readonly fault: Fault; left: number }[] = [];
  #served = 0;

  order(fault: Fault): void {
    this.#orders.push({ fault, left: fault.count ?? 1 });
  }

  clear(): void {
    this.#orders = [];
  }

  /** Takes the first order that this request meets. */
  take(request: S3Request): Fault | undefined {
    const order = this.#orders.find(({ fault }) => meets(request, fault));
    if (order === undefined) return undefined;
    order.left -= 1;
    this.#served += 1;
    if (order.left <= 0) this.#orders = this.#orders.filter((other) => other !== order);
    return order.fault;
  }

  get served(): number {
    return this.#served;
  }
}

function meets(request: S3Request, fault: Fault): boolean {
  if (fault.method !== undefined && fault.method !== request.method) return false;
  return fault.key === undefined || fault.key.test(request.key);
}
