import type { Rng } from '../../src/core/rng.ts'
import type { ImageSize } from '../camera/camera.ts'

/** What a clip is painted on. */
export interface Canvas extends ImageSize {
  /** uint8 [height, width, 3] */
  readonly rgb: Uint8Array
  /** [height, width], for the painter to use. */
  readonly shade: Float32Array
}

/** A moving background. Frames follow from the clip alone and can be painted in any order and at any size. */
export interface Clip {
  readonly frameCount: number
  paint(frame: number, canvas: Canvas): void
}

/** RGB pictures of one size, each uint8 [height, width, 3], in the order in which they are played. */
export interface Footage extends ImageSize {
  readonly frames: readonly Uint8Array[]
}

const FRAMES_PER_COLOR = 20

/** One colour all over, which glides to another one every 20 frames. */
export function colorClip(rng: Rng, frameCount: number): Clip {
  const keys = Array.from({ length: Math.ceil(frameCount / FRAMES_PER_COLOR) + 1 }, () => drawColor(rng, 0, 255))
  return {
    frameCount,
    paint: (frame, { rgb }) => {
      const from = keys[Math.floor(frame / FRAMES_PER_COLOR)]!
      const to = keys[Math.floor(frame / FRAMES_PER_COLOR) + 1]!
      const share = (frame % FRAMES_PER_COLOR) / FRAMES_PER_COLOR
      fill(
        rgb,
        from.map((value, c) => value + share * (to[c]! - value)),
      )
    },
  }
}

/** An ideal gas: discs that bounce off each other and off the edges of a square, of which the image shows the middle. */
export function discsClip(rng: Rng, frameCount: number): Clip {
  const gas = new DiscGas(rng, frameCount, 10)
  const background = drawColor(rng, 0, 90)
  return {
    frameCount,
    paint: (frame, canvas) => {
      fill(canvas.rgb, background)
      gas.paint(frame, canvas)
    },
  }
}

/** Two layers of noise that drift across each other, between two colours, with discs before them. */
export function textureClip(rng: Rng, frameCount: number): Clip {
  const tile = new Float32Array(TILE * TILE)
  rng.fillUniform(tile)
  const layers = [4, 9].map((cells) => ({
    cells,
    x: rng.uniform(0, TILE),
    y: rng.uniform(0, TILE),
    perFrameX: rng.uniform(-0.12, 0.12),
    perFrameY: rng.uniform(-0.12, 0.12),
  }))
  const dark = drawColor(rng, 0, 140)
  const light = drawColor(rng, 100, 255)
  const gas = new DiscGas(rng, frameCount, 6)
  return {
    frameCount,
    paint: (frame, canvas) => {
      const { shade, rgb } = canvas
      shade.fill(0)
      for (const [i, { cells, x, y, perFrameX, perFrameY }] of layers.entries()) {
        addNoise(tile, x + perFrameX * frame, y + perFrameY * frame, cells, i === 0 ? 0.65 : 0.35, canvas)
      }
      for (let i = 0; i < shade.length; i++) {
        // Sums of uniform noise crowd around a half.
        const share = Math.max(0, Math.min(1, 1.6 * shade[i]! - 0.3))
        for (let c = 0; c < 3; c++) rgb[i * 3 + c] = dark[c]! + share * (light[c]! - dark[c]!)
      }
      gas.paint(frame, canvas)
    },
  }
}

/** Mean and standard deviation of the pixels of {@link noiseClip}. */
const [NOISE_MEAN, NOISE_STD] = [128, 64]

/** Every pixel of every frame on its own, Gaussian: nothing in it can be told from what came before. */
export function noiseClip(rng: Rng, frameCount: number): Clip {
  return {
    frameCount,
    paint: (frame, { rgb }) => {
      const noise = rng.split(`frame/${frame}`).fillNormal(new Float32Array(rgb.length))
      for (let i = 0; i < rgb.length; i++) {
        rgb[i] = Math.max(0, Math.min(255, Math.round(NOISE_MEAN + NOISE_STD * noise[i]!)))
      }
    },
  }
}

/** `count` pictures of `footage` from `first` on, cut to the image's proportions and averaged down to its size. */
export function footageClip(footage: Footage, first: number, count: number): Clip {
  return { frameCount: count, paint: (frame, canvas) => paintPicture(footage, footage.frames[first + frame]!, canvas) }
}

/** Makes `rgb` grey, by the luma of BT.601. */
export function toGrey(rgb: Uint8Array): void {
  for (let i = 0; i < rgb.length; i += 3) {
    rgb[i] = rgb[i + 1] = rgb[i + 2] = 0.299 * rgb[i]! + 0.587 * rgb[i + 1]! + 0.114 * rgb[i + 2]!
  }
}

type Color = readonly number[]

function drawColor(rng: Rng, low: number, high: number): Color {
  return [rng.uniform(low, high), rng.uniform(low, high), rng.uniform(low, high)]
}

function fill(rgb: Uint8Array, color: Color): void {
  for (let i = 0; i < rgb.length; i += 3) {
    rgb[i] = color[0]!
    rgb[i + 1] = color[1]!
    rgb[i + 2] = color[2]!
  }
}

const MIN_RADIUS = 0.04
const MAX_RADIUS = 0.11
/** Sides of the square per frame; slow beside the radii, so that no disc jumps over another. */
const MIN_SPEED = 0.006
const MAX_SPEED = 0.016

/** Elastic discs in the unit square, of equal density. Their whole course is computed once. */
class DiscGas {
  readonly #radii: readonly number[]
  readonly #colors: readonly Color[]
  /** [frame, disc, 2] */
  readonly #positions: Float32Array

  constructor(rng: Rng, frameCount: number, discs: number) {
    this.#radii = Array.from({ length: discs }, () => rng.uniform(MIN_RADIUS, MAX_RADIUS))
    this.#colors = this.#radii.map(() => drawColor(rng, 60, 255))
    const at = placeApart(rng, this.#radii)
    const velocity = new Float64Array(discs * 2)
    for (let i = 0; i < discs; i++) {
      const [speed, angle] = [rng.uniform(MIN_SPEED, MAX_SPEED), rng.uniform(0, 2 * Math.PI)]
      velocity[i * 2] = speed * Math.cos(angle)
      velocity[i * 2 + 1] = speed * Math.sin(angle)
    }
    this.#positions = new Float32Array(frameCount * discs * 2)
    for (let frame = 0; frame < frameCount; frame++) {
      this.#positions.set(at, frame * discs * 2)
      stepGas(at, velocity, this.#radii)
    }
  }

  paint(frame: number, { width, height, rgb }: Canvas): void {
    const side = Math.max(width, height)
    for (let i = 0; i < this.#radii.length; i++) {
      const at = (frame * this.#radii.length + i) * 2
      const centerX = (this.#positions[at]! - 0.5) * side + width / 2
      const centerY = (this.#positions[at + 1]! - 0.5) * side + height / 2
      const radius = this.#radii[i]! * side
      const [red, green, blue] = this.#colors[i]!
      const rowEnd = Math.min(height, Math.ceil(centerY + radius))
      for (let row = Math.max(0, Math.floor(centerY - radius)); row < rowEnd; row++) {
        const half = Math.sqrt(radius * radius - (row + 0.5 - centerY) ** 2)
        if (!(half > 0)) continue
        const end = Math.min(width, Math.ceil(centerX + half - 0.5))
        for (let column = Math.max(0, Math.ceil(centerX - half - 0.5)); column < end; column++) {
          const pixel = (row * width + column) * 3
          rgb[pixel] = red!
          rgb[pixel + 1] = green!
          rgb[pixel + 2] = blue!
        }
      }
    }
  }
}

/** Centres [disc, 2] at which no two discs overlap. Few enough fit that drawing again is quick. */
function placeApart(rng: Rng, radii: readonly number[]): Float64Array {
  const at = new Float64Array(radii.length * 2)
  for (let i = 0; i < radii.length; i++) {
    let isFree = false
    while (!isFree) {
      at[i * 2] = rng.uniform(radii[i], 1 - radii[i]!)
      at[i * 2 + 1] = rng.uniform(radii[i], 1 - radii[i]!)
      isFree = radii
        .slice(0, i)
        .every((radius, j) => Math.hypot(at[i * 2]! - at[j * 2]!, at[i * 2 + 1]! - at[j * 2 + 1]!) > radius + radii[i]!)
    }
  }
  return at
}

function stepGas(at: Float64Array, velocity: Float64Array, radii: readonly number[]): void {
  for (let k = 0; k < at.length; k++) {
    const radius = radii[k >> 1]!
    at[k]! += velocity[k]!
    if ((at[k]! < radius && velocity[k]! < 0) || (at[k]! > 1 - radius && velocity[k]! > 0)) velocity[k] = -velocity[k]!
  }
  for (let i = 0; i < radii.length; i++) {
    for (let j = 0; j < i; j++) bounce(at, velocity, radii, i, j)
  }
}

/** Exchanges momentum along the line of centres of two discs that touch and approach. */
function bounce(at: Float64Array, velocity: Float64Array, radii: readonly number[], i: number, j: number): void {
  const dx = at[i * 2]! - at[j * 2]!
  const dy = at[i * 2 + 1]! - at[j * 2 + 1]!
  const distance = Math.hypot(dx, dy)
  if (distance >= radii[i]! + radii[j]!) return
  const [nx, ny] = [dx / distance, dy / distance]
  const approach = (velocity[i * 2]! - velocity[j * 2]!) * nx + (velocity[i * 2 + 1]! - velocity[j * 2 + 1]!) * ny
  if (approach >= 0) return
  const [massI, massJ] = [radii[i]! ** 2, radii[j]! ** 2]
  const toI = (-2 * approach * massJ) / (massI + massJ)
  const toJ = (2 * approach * massI) / (massI + massJ)
  velocity[i * 2]! += toI * nx
  velocity[i * 2 + 1]! += toI * ny
  velocity[j * 2]! += toJ * nx
  velocity[j * 2 + 1]! += toJ * ny
}

/** Side of the tile of random numbers that noise repeats, in cells. */
const TILE = 32

/** Adds smooth noise with `cells` cells across the longer side of the canvas, whose top left is at (x, y) of the tile. */
function addNoise(
  tile: Float32Array,
  x: number,
  y: number,
  cells: number,
  weight: number,
  { width, height, shade }: Canvas,
): void {
  const perPixel = cells / Math.max(width, height)
  for (let row = 0; row < height; row++) {
    const v = y + row * perPixel
    const top = wrap(Math.floor(v)) * TILE
    const bottom = wrap(Math.floor(v) + 1) * TILE
    const t = smooth(v - Math.floor(v))
    for (let column = 0; column < width; column++) {
      const u = x + column * perPixel
      const left = wrap(Math.floor(u))
      const right = wrap(left + 1)
      const s = smooth(u - Math.floor(u))
      const above = tile[top + left]! + s * (tile[top + right]! - tile[top + left]!)
      const below = tile[bottom + left]! + s * (tile[bottom + right]! - tile[bottom + left]!)
      shade[row * width + column]! += weight * (above + t * (below - above))
    }
  }
}

/** `TILE` is a power of two, so this also takes negative cells. */
function wrap(cell: number): number {
  return cell & (TILE - 1)
}

function smooth(t: number): number {
  return t * t * (3 - 2 * t)
}

/** Each pixel is the mean of those of the picture that it covers, or the one that it lies in. */
function paintPicture(
  { width: sourceWidth, height: sourceHeight }: ImageSize,
  picture: Uint8Array,
  canvas: Canvas,
): void {
  const { width, height, rgb } = canvas
  const scale = Math.min(sourceWidth / width, sourceHeight / height)
  const left = (sourceWidth - width * scale) / 2
  const top = (sourceHeight - height * scale) / 2
  for (let row = 0; row < height; row++) {
    const firstRow = Math.floor(top + row * scale)
    const lastRow = Math.min(sourceHeight, Math.max(firstRow + 1, Math.floor(top + (row + 1) * scale)))
    for (let column = 0; column < width; column++) {
      const first = Math.floor(left + column * scale)
      const last = Math.min(sourceWidth, Math.max(first + 1, Math.floor(left + (column + 1) * scale)))
      let red = 0
      let green = 0
      let blue = 0
      for (let y = firstRow; y < lastRow; y++) {
        for (let i = (y * sourceWidth + first) * 3; i < (y * sourceWidth + last) * 3; i += 3) {
          red += picture[i]!
          green += picture[i + 1]!
          blue += picture[i + 2]!
        }
      }
      const count = (lastRow - firstRow) * (last - first)
      const pixel = (row * width + column) * 3
      rgb[pixel] = red / count
      rgb[pixel + 1] = green / count
      rgb[pixel + 2] = blue / count
    }
  }
}
