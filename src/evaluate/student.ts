/** Student's t distribution, which small samples need in the place of the normal one. */

/** Terms of the continued fraction below; it converges within a few dozen for any argument. */
const MAX_TERMS = 300
const PRECISION = 1e-14
/** Keeps the fraction's parts away from a division by zero. */
const TINY = 1e-300

/**
 * Two-sided p-value of `t`: the chance that |T| is at least |t|.
 * @param degreesOfFreedom above 0, not necessarily whole
 */
export function studentPValue(t: number, degreesOfFreedom: number): number {
  return regularizedBeta(degreesOfFreedom / (degreesOfFreedom + t * t), degreesOfFreedom / 2, 0.5)
}

/**
 * The `t` that |T| exceeds with chance 1 - `confidence`, e.g. 12.7 for 0.95 and one degree of freedom, 1.96 for many.
 * @param confidence in (0, 1)
 */
export function studentQuantile(confidence: number, degreesOfFreedom: number): number {
  let [low, high] = [0, 1]
  while (studentPValue(high, degreesOfFreedom) > 1 - confidence) high *= 2
  for (let i = 0; i < 80; i++) {
    const middle = (low + high) / 2
    if (studentPValue(middle, degreesOfFreedom) > 1 - confidence) low = middle
    else high = middle
  }
  return (low + high) / 2
}

/** Regularised incomplete beta function I_x(a, b), by Lentz's method on its continued fraction (Abramowitz & Stegun 26.5.8). */
function regularizedBeta(x: number, a: number, b: number): number {
  if (x <= 0) return 0
  if (x >= 1) return 1
  // The fraction converges fast on this side of the mean only.
  if (x > (a + 1) / (a + b + 2)) return 1 - regularizedBeta(1 - x, b, a)
  const logFront = logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log1p(-x)
  let c = 1
  let d = 1 / away(1 - ((a + b) * x) / (a + 1))
  let fraction = d
  for (let m = 1; m <= MAX_TERMS; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m))
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1))
    let change = 1
    for (const term of [even, odd]) {
      d = 1 / away(1 + term * d)
      c = away(1 + term / c)
      change = d * c
      fraction *= change
    }
    if (Math.abs(change - 1) < PRECISION) break
  }
  return (Math.exp(logFront) * fraction) / a
}

function away(value: number): number {
  return Math.abs(value) < TINY ? TINY : value
}

/** log Gamma(x) for x > 0 by Stirling's series, after shifting x to where it is exact to the last digits. */
function logGamma(x: number): number {
  let shift = 0
  let at = x
  while (at < 10) shift -= Math.log(at++)
  const inverse = 1 / (at * at)
  const series = (1 / 12 - inverse * (1 / 360 - inverse * (1 / 1260 - inverse / 1680))) / at
  return shift + (at - 0.5) * Math.log(at) - at + 0.5 * Math.log(2 * Math.PI) + series
}
