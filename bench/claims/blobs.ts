/** What stands out in an image. */

/** Its middle in pixels, and its hue. */
export interface Blob {
  readonly x: number
  readonly y: number
  readonly hueDeg: number
}

/** A pixel stands out when one of its channels is this far from the ground's. */
const CONTRAST = 60

/**
 * The largest connected part of an image [height, width, 3] that stands out from the ground, which is the median colour; undefined where
 * nothing does. What is grey, as walls are, does not count.
 */
export function largestBlob(image: Uint8Array, [height, width]: readonly number[]): Blob | undefined {
  const count = height! * width!
  const channel = (i: number, c: number): number => image[3 * i + c]!
  const ground = [0, 1, 2].map((c) => Uint8Array.from({ length: count }, (_, i) => channel(i, c)).sort()[count >> 1]!)
  const isOut = Array.from({ length: count }, (_, i) => {
    const [r, g, b] = [channel(i, 0), channel(i, 1), channel(i, 2)]
    const isGrey = Math.max(r, g, b) - Math.min(r, g, b) < CONTRAST
    return !isGrey && ground.some((value, c) => Math.abs(channel(i, c) - value) >= CONTRAST)
  })
  let largest: number[] = []
  for (let i = 0; i < count; i++) {
    const part = connected(i, isOut, width!)
    if (part.length > largest.length) largest = part
  }
  return largest.length === 0 ? undefined : describe(image, largest, width!)
}

/** Pixels that hang together with `first`; they are taken out of `isOut`. */
function connected(first: number, isOut: boolean[], width: number): number[] {
  const part: number[] = []
  const open = [first]
  while (open.length > 0) {
    const i = open.pop()!
    if (isOut[i] !== true) continue
    isOut[i] = false
    part.push(i)
    if (i % width > 0) open.push(i - 1)
    if (i % width < width - 1) open.push(i + 1)
    open.push(i - width, i + width)
  }
  return part
}

function describe(image: Uint8Array, pixels: readonly number[], width: number): Blob {
  let [x, y, cos, sin] = [0, 0, 0, 0]
  for (const i of pixels) {
    const [r, g, b] = [image[3 * i]!, image[3 * i + 1]!, image[3 * i + 2]!]
    x += (i % width) / pixels.length
    y += Math.floor(i / width) / pixels.length
    // Hue as the angle in the plane of colour differences, which needs no cases.
    cos += 2 * r - g - b
    sin += Math.sqrt(3) * (g - b)
  }
  return { x, y, hueDeg: (Math.atan2(sin, cos) * 180) / Math.PI }
}

/** Of two hues, degrees: 0 to 180. */
export function turnBetween(a: number, b: number): number {
  return Math.abs(((((a - b + 180) % 360) + 360) % 360) - 180)
}
