import type { Rgb } from '../camera/scene.ts'

/** In turns, from red over green and blue: [low, high). */
export type HueRange = readonly [low: number, high: number]

/** Values of a scene's option `hues`. Three quarters of the colour circle are `seen` in training; the rest, violet to red, is kept for tests. */
export const HUES = { all: [0, 1], seen: [0, 0.75], unseen: [0.75, 1] } as const

/** [lowest, highest] channel, 0..255, of coloured ground: darker than what lies on it. */
export const GROUND_RANGE: readonly [number, number] = [20, 110]

/** A colour of `hue`, in turns, with channels from `low` to `high`. */
export function colorOfHue(hue: number, [low, high]: readonly [number, number]): Rgb {
  const channel = (index: number): number => {
    const sixths = (((hue * 6 - 2 * index + 3) % 6) + 6) % 6
    return low + (high - low) * Math.max(0, Math.min(1, 2 - Math.abs(sixths - 3)))
  }
  return [channel(0), channel(1), channel(2)]
}
