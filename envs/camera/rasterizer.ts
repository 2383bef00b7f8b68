import { ArmatureError } from '../../src/core/errors.ts'
import type { CameraSpec, ImageSize } from './camera.ts'
import { focalLengthPx, lookAt } from './camera.ts'
import { MeshDrawer } from './mesh-drawer.ts'
import { PolygonFiller, SHADOWED } from './polygon-filler.ts'
import type { Primitive, Scene } from './scene.ts'

/**
 * A fixed camera on a scene: RGB, depth and ids in one pass on one thread, without allocation per frame. The same scene gives the
 * same bytes each time. Static primitives are drawn first and then kept, which changes no pixel.
 *
 * @example
 * const camera = new Rasterizer(scene, { name: 'front', eyeM: [0, -1, 1], targetM: [0, 0, 0], fovYDeg: 40 }, { width: 64, height: 64 })
 * setPosition(scene.primitive('puck'), 0.1, 0, 0.015)
 * camera.render()
 * camera.rgb // [64, 64, 3], overwritten by the next render
 */
export class Rasterizer {
  readonly spec: CameraSpec
  readonly width: number
  readonly height: number
  /** uint8 [height, width, 3] */
  readonly rgb: Uint8Array
  /** Distance along the optical axis in metres [height, width]; Infinity where there is nothing. */
  readonly depth: Float32Array
  /** Primitive ids [height, width]; 0 where there is nothing. */
  readonly ids: Uint16Array

  readonly #scene: Scene
  readonly #supersample: 1 | 2
  readonly #filler: PolygonFiller
  readonly #drawer: MeshDrawer
  readonly #statics: readonly Primitive[]
  readonly #movers: readonly Primitive[]
  /** Columns [start, end) of each row that movers can have changed in this frame. */
  readonly #changedStart: Int32Array
  readonly #changedEnd: Int32Array
  /** Copies of the buffers with only the static primitives drawn; undefined until the first frame. */
  #staticBuffers: { readonly from: Buffer; readonly to: Buffer }[] | undefined

  /** @param supersample 2 averages 2x2 samples per pixel; depth and id are then those of the nearest sample. */
  constructor(scene: Scene, spec: CameraSpec, size: ImageSize, supersample: 1 | 2 = 1) {
    if (!isSize(size.width) || !isSize(size.height)) {
      throw new ArmatureError('bad-argument', 'camera size', {
        expected: 'whole numbers of pixels from 1 to 4096',
        got: `${size.width} x ${size.height}`,
      })
    }
    this.spec = spec
    this.width = size.width
    this.height = size.height
    this.#scene = scene
    this.#supersample = supersample
    this.#filler = new PolygonFiller(size.width * supersample, size.height * supersample)
    this.#drawer = new MeshDrawer(
      this.#filler,
      scene,
      lookAt(spec),
      focalLengthPx(spec.fovYDeg, size.height * supersample),
    )
    const pixels = size.width * size.height
    this.rgb = supersample === 1 ? this.#filler.rgb : new Uint8Array(pixels * 3)
    this.depth = new Float32Array(pixels)
    this.ids = new Uint16Array(pixels)
    this.#changedStart = new Int32Array(size.height)
    this.#changedEnd = new Int32Array(size.height)
    this.#statics = scene.primitives.filter((primitive) => primitive.spec.isStatic === true)
    this.#movers = scene.primitives.filter((primitive) => primitive.spec.isStatic !== true)
  }

  /** Draws the scene as it is now into `rgb`, `depth` and `ids`. */
  render(): void {
    if (this.#staticBuffers === undefined) this.#drawStatics()
    for (const { from, to } of this.#staticBuffers!) to.set(from)
    this.#changedStart.fill(this.width)
    this.#changedEnd.fill(0)
    for (const primitive of this.#movers) {
      if (!this.#isShown(primitive)) continue
      this.#drawer.drawShadow(primitive)
      this.#noteChanged()
    }
    for (const primitive of this.#movers) {
      if (!this.#isShown(primitive)) continue
      this.#drawer.draw(primitive)
      this.#noteChanged()
    }
    this.#resolve()
  }

  #drawStatics(): void {
    const { rgb, inverseDepth, ids } = this.#filler
    const [red, green, blue] = this.#scene.spec.background
    for (let i = 0; i < rgb.length; i += 3) rgb.set([red, green, blue], i)
    inverseDepth.fill(0)
    ids.fill(0)
    const shown = this.#statics.filter((primitive) => this.#isShown(primitive))
    for (const primitive of shown) this.#drawer.draw(primitive)
    for (const primitive of shown) this.#drawer.drawShadow(primitive)
    this.#changedStart.fill(0)
    this.#changedEnd.fill(this.width)
    this.#resolve()
    const buffers: Buffer[] = [rgb, inverseDepth, ids, this.depth, this.ids]
    if (this.rgb !== rgb) buffers.push(this.rgb)
    this.#staticBuffers = buffers.map((buffer) => ({ from: buffer.slice(), to: buffer }))
  }

  #isShown({ visible, spec }: Primitive): boolean {
    return visible && (spec.visibleToCameras !== false || this.spec.showsHidden === true)
  }

  /** Widens the changed columns by the box that the last drawing can have touched. */
  #noteChanged(): void {
    const { minColumn, maxColumn, minRow, maxRow } = this.#drawer
    const scale = this.#supersample
    const start = Math.floor(minColumn / scale)
    const end = Math.ceil(maxColumn / scale)
    const rowEnd = Math.ceil(maxRow / scale)
    for (let row = Math.floor(minRow / scale); row < rowEnd; row++) {
      if (start < this.#changedStart[row]!) this.#changedStart[row] = start
      if (end > this.#changedEnd[row]!) this.#changedEnd[row] = end
    }
  }

  /** Brings the changed pixels from the drawing buffers to the outputs. */
  #resolve(): void {
    if (this.#supersample === 2) {
      this.#resolveSamples()
      return
    }
    const { width, height, depth, ids } = this
    const { inverseDepth, ids: drawnIds } = this.#filler
    for (let row = 0; row < height; row++) {
      const end = row * width + this.#changedEnd[row]!
      for (let pixel = row * width + this.#changedStart[row]!; pixel < end; pixel++) {
        depth[pixel] = 1 / inverseDepth[pixel]!
        ids[pixel] = drawnIds[pixel]! & ~SHADOWED
      }
    }
  }

  /** Pixel (row, column) averages samples a b / c d at (2 row, 2 column). */
  #resolveSamples(): void {
    const { width, height, rgb, depth, ids } = this
    const { inverseDepth, ids: drawnIds, rgb: drawnRgb, width: stride } = this.#filler
    for (let row = 0; row < height; row++) {
      const end = this.#changedEnd[row]!
      for (let column = this.#changedStart[row]!; column < end; column++) {
        const pixel = row * width + column
        const a = row * 2 * stride + column * 2
        const c = a + stride
        const above = a * 3
        const below = c * 3
        const red = drawnRgb[above]! + drawnRgb[above + 3]! + drawnRgb[below]! + drawnRgb[below + 3]!
        const green = drawnRgb[above + 1]! + drawnRgb[above + 4]! + drawnRgb[below + 1]! + drawnRgb[below + 4]!
        const blue = drawnRgb[above + 2]! + drawnRgb[above + 5]! + drawnRgb[below + 2]! + drawnRgb[below + 5]!
        rgb[pixel * 3] = (red + 2) >> 2
        rgb[pixel * 3 + 1] = (green + 2) >> 2
        rgb[pixel * 3 + 2] = (blue + 2) >> 2
        let nearest = a
        if (inverseDepth[a + 1]! > inverseDepth[nearest]!) nearest = a + 1
        if (inverseDepth[c]! > inverseDepth[nearest]!) nearest = c
        if (inverseDepth[c + 1]! > inverseDepth[nearest]!) nearest = c + 1
        depth[pixel] = 1 / inverseDepth[nearest]!
        ids[pixel] = drawnIds[nearest]! & ~SHADOWED
      }
    }
  }
}

type Buffer = Uint8Array | Float32Array | Uint16Array

function isSize(n: number): boolean {
  return Number.isInteger(n) && n >= 1 && n <= 4096
}
