/** How fast `tolerance` falls outside its bounds. */
export interface Margin {
  /** Distance from the bounds at which it has fallen to `valueAtMargin`; above 0. */
  readonly margin: number
  /** `gaussian` (default) never reaches 0; `quadratic` and `linear` do, at the margin where `valueAtMargin` is 0. */
  readonly sigmoid?: 'gaussian' | 'quadratic' | 'linear'
  /** 0.1 by default; must lie in (0, 1), or in [0, 1) for `quadratic` and `linear`. */
  readonly valueAtMargin?: number
}

/**
 * 1 where `low <= x <= high`, and between 0 and 1 outside: the reward vocabulary of dm_control (`rewards.tolerance`, Tassa et al.
 * 2018, arXiv 1801.00690). Without a margin it is 0 outside.
 */
export function tolerance(x: number, low: number, high: number, outside?: Margin): number {
  if (x >= low && x <= high) return 1
  if (outside === undefined) return 0
  const { margin, sigmoid = 'gaussian', valueAtMargin = 0.1 } = outside
  const distance = (x < low ? low - x : x - high) / margin
  switch (sigmoid) {
    case 'gaussian':
      return Math.exp(Math.log(valueAtMargin) * distance * distance)
    case 'quadratic':
      return Math.max(0, 1 - (1 - valueAtMargin) * distance * distance)
    case 'linear':
      return Math.max(0, 1 - (1 - valueAtMargin) * distance)
  }
}
