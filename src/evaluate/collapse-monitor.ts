/** What a {@link CollapseMonitor} looks at: figures of the latents of held-out frames. */
export interface CollapseFigures {
  /** See `embed/relative_spread`. */
  readonly spread: number
  readonly effectiveRank: number
  /** See `embed/neighbour_error`; absent where no states are known. */
  readonly neighbourError?: number
  /** Latent dimensions that tell something of a frame, for encoders that count them. */
  readonly activeDimensions?: number
}

/** What going on after a break needs. */
export interface CollapseState {
  /** Before learning. */
  readonly start?: CollapseFigures
  /** Updates of the checks that agree, without a break until the last one; no more than are needed. */
  readonly agreeing: readonly number[]
}

/** Nothing is said in this share of the updates: many encoders draw their latents together before they spread them. */
const WARM_UP = 0.2
/** Checks that must agree, one after another. */
const CHECKS = 3
/** A spread that is below this, and below this part of what it was, is a point; far below it, it is rounding noise. */
const POINT_SPREAD = 0.02
const POINT_SHARE = 0.05
const ROUNDING = 1e-6
/** An effective rank below this is a line, see `verdictOf`. */
const LINE_RANK = 1.2
/** Near latents are no nearer in truth where the error is this high, and about as high as before learning. */
const BLIND_ERROR = 0.5
const BLIND_SHARE = 0.9

const REMEDY =
  'try a smaller learning rate, less weight on what draws latents together (a KL term, distances of rewards), or a term that keeps them apart (contrast, reconstruction, inverse dynamics)'

/**
 * Tells from checks during training whether an encoder has collapsed: to a point, against the spread that it began with; to a line whose
 * neighbours are as far apart in truth as those of the encoder that had learned nothing, which a line along which things really move is
 * not; or, for a VAE, to its prior. Where several checks in a row agree, after the first fifth of the updates, it is said.
 */
export class CollapseMonitor {
  readonly #updates: number
  readonly #latentSize: number
  #start: CollapseFigures | undefined
  #agreeing: readonly number[]

  /** @param updates of the whole training */
  constructor(updates: number, latentSize: number, state?: CollapseState) {
    this.#updates = updates
    this.#latentSize = latentSize
    this.#start = state?.start
    this.#agreeing = state?.agreeing ?? []
  }

  get state(): CollapseState {
    return { ...(this.#start && { start: this.#start }), agreeing: this.#agreeing }
  }

  /** Before the first update. */
  begin(figures: CollapseFigures): void {
    if (Object.values(figures).every(Number.isFinite)) this.#start = figures
  }

  /** @returns what has collapsed and what to try, once several checks agree; undefined while they do not */
  check(update: number, figures: CollapseFigures): string | undefined {
    const why = update < WARM_UP * this.#updates ? undefined : this.#reason(figures)
    if (why === undefined) {
      this.#agreeing = []
      return undefined
    }
    this.#agreeing = [...this.#agreeing, update].slice(0, CHECKS)
    const isSure = this.#agreeing.length === CHECKS
    return isSure ? `collapsed since update ${this.#agreeing[0]}: ${why}; ${REMEDY}` : undefined
  }

  #reason({ spread, effectiveRank, neighbourError = NaN, activeDimensions }: CollapseFigures): string | undefined {
    const start = this.#start
    if (Number.isNaN(spread)) return 'latents are not finite'
    if (activeDimensions === 0) return 'no latent dimension tells one frame from another'
    if (!(spread > ROUNDING)) return 'all held-out frames have the same latent'
    if (start !== undefined && spread < Math.min(POINT_SPREAD, POINT_SHARE * start.spread)) {
      return `held-out frames have nearly the same latent (they differ by ${percent(spread)} of its length, ${percent(start.spread)} before learning)`
    }
    const blind = Math.max(BLIND_ERROR, BLIND_SHARE * (start?.neighbourError ?? 0))
    if (this.#latentSize === 1 || effectiveRank >= LINE_RANK || !(neighbourError >= blind)) return undefined
    return `latents lie on a line (effective rank ${effectiveRank.toFixed(2)} of ${this.#latentSize}), and near ones are ${percent(neighbourError)} as far apart in truth as random ones`
  }
}

function percent(share: number): string {
  return `${Number((100 * share).toPrecision(2))} %`
}
