import type { EncoderRunConfig } from '../config/pretrain-config.ts'
import type { Encoder } from '../core/encoder.ts'
import { ArmatureError } from '../core/errors.ts'
import type { Metrics } from '../core/ndarray.ts'
import type { CollapseFigures, CollapseState } from '../evaluate/collapse-monitor.ts'
import { CollapseMonitor } from '../evaluate/collapse-monitor.ts'
import { embeddingHealth, neighbourError } from '../evaluate/health.ts'
import type { BatchKind } from '../core/batches.ts'
import type { EncoderData } from '../run/encoder-data.ts'

/** What is watched, and how. */
interface Watched {
  readonly encoder: Encoder
  readonly data: EncoderData<BatchKind>
  readonly config: Pick<EncoderRunConfig, 'updates' | 'healthFrames' | 'stopOnCollapse'>
  /** Takes a line for people. */
  readonly say: (line: string) => void
}

/** Measures an encoder on held-out frames while it learns, and says when it has collapsed. */
export class EncoderWatch {
  readonly #watched: Watched
  readonly #monitor: CollapseMonitor
  #collapse: string | undefined

  /** @param state from {@link EncoderWatch.state}, to go on as if there had been no break */
  constructor(watched: Watched, state?: CollapseState) {
    this.#watched = watched
    this.#monitor = new CollapseMonitor(watched.config.updates, watched.encoder.spec.latentSize, state)
  }

  get state(): CollapseState {
    return this.#monitor.state
  }

  /** What has collapsed, at the last check; undefined where nothing has. */
  get collapse(): string | undefined {
    return this.#collapse
  }

  /** Figures under the names in `docs/metrics.md`. */
  async health(): Promise<Metrics> {
    const { encoder, data, config } = this.#watched
    const input = data.inputs(encoder.spec, 'validation', config.healthFrames)
    const { count } = input
    const latents = await encoder.encode(input)
    const health = embeddingHealth(latents, count)
    const truth = data.truth('validation', config.healthFrames)
    if (truth === undefined) return health
    const rows = { data: latents, count, size: latents.length / count }
    const states = { data: truth.states, count, size: truth.states.length / count }
    const error = neighbourError(rows, states, truth.episodes)
    return Number.isFinite(error) ? { ...health, 'embed/neighbour_error': error } : health
  }

  /** Before the first update: what later checks are held against. */
  async begin(): Promise<void> {
    this.#monitor.begin(figuresOf(await this.health()))
  }

  /**
   * One check, with a line for people when a collapse is first seen.
   * @param metrics of the encoder's own terms, at this update
   * @returns them with the figures beside
   */
  async check(update: number, metrics: Metrics): Promise<Metrics> {
    const all = { ...metrics, ...(await this.health()) }
    const collapse = this.#monitor.check(update, figuresOf(all))
    if (collapse !== undefined && this.#collapse === undefined) this.#watched.say(collapse)
    this.#collapse = collapse
    return { ...all, 'embed/collapsed': collapse === undefined ? 0 : 1 }
  }

  /**
   * @param saved a few words on what was kept
   * @throws ArmatureError `collapsed` where that is what the run should stop at
   */
  stopIfCollapsed(saved: string): void {
    if (this.#collapse === undefined || !this.#watched.config.stopOnCollapse) return
    throw new ArmatureError('collapsed', this.#collapse, { fix: saved })
  }
}

function figuresOf(metrics: Metrics): CollapseFigures {
  const neighbour = metrics['embed/neighbour_error']
  const active = metrics['embed/validation_active_dimensions']
  return {
    spread: metrics['embed/relative_spread']!,
    effectiveRank: metrics['embed/effective_rank']!,
    ...(neighbour !== undefined && { neighbourError: neighbour }),
    ...(active !== undefined && { activeDimensions: active }),
  }
}
