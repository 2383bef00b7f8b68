/** Share of the second colour, 0..1, at (u, v) in units of the texture's scale. */
export type Pattern = (u: number, v: number) => number

/** Procedural textures by kind; the checker has a filler of its own, as nearly every scene has one. */
export const PATTERNS: Readonly<Record<'stripes' | 'noise' | 'wood', Pattern>> = {
  stripes: (u) => Math.floor(u) & 1,
  noise: (u, v) => 0.65 * valueNoise(u, v) + 0.35 * valueNoise(u * 2.3 + 17, v * 2.3 + 5),
  // Boards of two units across, each with a grain of its own that runs along v.
  wood: (u, v) => {
    const board = Math.floor(u / 2)
    const across = u / 2 - board
    const grain = valueNoise(u * 3, v * 0.35 + board * 31)
    return across < 0.06 ? 1 : 0.2 + 0.6 * grain * grain
  },
}

/** Smooth noise, 0..1: a hash of the corners of the unit square around (u, v), blended with zero slope at each. */
export function valueNoise(u: number, v: number): number {
  const column = Math.floor(u)
  const row = Math.floor(v)
  const x = smooth(u - column)
  const y = smooth(v - row)
  const top = hash(column, row) + x * (hash(column + 1, row) - hash(column, row))
  const bottom = hash(column, row + 1) + x * (hash(column + 1, row + 1) - hash(column, row + 1))
  return top + y * (bottom - top)
}

function smooth(t: number): number {
  return t * t * (3 - 2 * t)
}

/** 0..1 by integer coordinates; murmur3's finaliser scatters them. */
function hash(column: number, row: number): number {
  let h = Math.imul(column, 0x27d4eb2f) ^ Math.imul(row, 0x165667b1)
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return ((h ^ (h >>> 16)) >>> 0) / 4294967295
}
