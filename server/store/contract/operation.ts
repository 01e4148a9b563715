/** The shape of one operation: what goes in and what comes out. Both are plain data. */
export interface Operation<Input, Output> {
  readonly input: Input;
  readonly output: Output;
}

/** One item of a batch that was done. */
export interface ItemDone<Item> {
  readonly ok: true;
  readonly item: Item;
}

/** One item of a batch that was refused; the other items of the batch are not affected. */
export interface ItemRefused<Item> {
  readonly ok: false;
  /** gRPC status code. */
  readonly code: number;
  /** Fit for the caller's eyes. */
  readonly message: string;
  /** With ALREADY_EXISTS: the one that exists. */
  readonly item?: Item;
}

export type ItemResult<Item> = ItemDone<Item> | ItemRefused<Item>;

/** Which part of a list to return. */
export interface PageRequest {
  /** At least 1; the store caps it at 10,000. */
  readonly pageSize: number;
  /** From the page before; absent for the first. Opaque: made and read by the store only. */
  readonly pageToken?: string;
}

/** A part of a list. */
export interface Page<Item> {
  readonly items: readonly Item[];
  /** Absent on the last page. */
  readonly nextPageToken?: string;
}
