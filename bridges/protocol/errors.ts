/** Closed list of what can be wrong with a message, or with what it asks for. The names travel on the wire. */
export const ERROR_CODES = [
  'bad_magic',
  'bad_prefix',
  'too_large',
  'decode_failed',
  'decode_limit',
  'bad_header',
  'version_unsupported',
  'schema_mismatch',
  'unknown_kind',
  'unauthorized',
  'role_forbidden',
  'lease_denied',
  'lease_expired',
  'epoch_stale',
  'seq_replay',
  'late',
  'stale_observation',
  'too_early',
  'bad_shape',
  'bad_dtype',
  'not_finite',
  'out_of_hard_limits',
  'too_far',
  'rate_limited',
  'not_armed',
  'fault_latched',
  'busy',
  'bad_reading',
  'internal',
] as const

export type ErrorCode = (typeof ERROR_CODES)[number]

/** A message that breaks the protocol, or a request that the robot refuses; `code` and `message` may be sent to the peer as they are. */
export class ProtocolError extends Error {
  readonly code: ErrorCode
  /** Sequence number of the message at fault, where that could be read. */
  readonly refSeq: number | undefined

  /** @param text one short sentence for a person; never a stack, a path or a secret */
  constructor(code: ErrorCode, text: string, refSeq?: number) {
    super(text)
    this.name = 'ProtocolError'
    this.code = code
    this.refSeq = refSeq
  }
}

/** A field of a message that holds something else than it should; its text begins with where in the message it is. */
export class FieldError extends ProtocolError {
  #where = ''
  readonly #problem: string

  /** @param problem goes on after the name of the field, e.g. "is not a number" */
  constructor(code: ErrorCode, problem: string) {
    super(code, problem)
    this.#problem = problem
  }

  /** The same error, of a field in the map or list called `name`, or in item `[i]` of one. */
  within(name: string): this {
    this.#where = this.#where === '' || this.#where.startsWith('[') ? name + this.#where : `${name}.${this.#where}`
    this.message = `${this.#where} ${this.#problem}`
    return this
  }
}
