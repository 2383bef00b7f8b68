/**
 * A recording of a bridge: a file of `MAGIC`, then records one after the other. A record is 16 bytes of header (little-endian: length of the
 * message u32, CRC-32 of the message u32, time of arrival u64 in microseconds of the recorder's monotonic clock) and the message as it
 * came, with its prefix. Nothing is ever rewritten, so a recorder that dies leaves all but its last record readable.
 */
export const MAGIC: Uint8Array = new TextEncoder().encode('rblog 1\n')

export const RECORD_HEADER_BYTES = 16
/** A length above this is not a record: messages of the bridge are smaller. */
export const MAX_RECORD_BYTES: number = 64 * 1024 * 1024

/** One message as it was received. */
export interface Recorded {
  /** Microseconds of the recorder's monotonic clock. */
  readonly arrivalUs: number
  readonly bytes: Uint8Array
}
