const latent = new Float32Array(12)

/** An encoder of sorts: colour sums of four stripes of an image, in an array that the next call overwrites. */
export function meanColors(image: Uint8Array): Float32Array {
  latent.fill(0)
  const stripe = image.length / 4
  for (let i = 0; i < image.length; i++) latent[Math.floor(i / stripe) * 3 + (i % 3)]! += image[i]! / stripe
  return latent
}
