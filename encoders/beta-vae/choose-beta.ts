/**
 * With the squared error summed over pixels, a direction of variance v is encoded only if v > beta / 2 (linear VAE). Taking
 * for beta the variance of the weakest direction to keep clears that bound by a factor of two.
 *
 * @param variances along principal directions, falling
 */
export function chooseBeta(variances: Float64Array, keepDirections: number): number {
  return variances[Math.min(keepDirections, variances.length) - 1]!
}
