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
    this.#statics = scene.primitives.filter((primitive) => primitive.spec.isStatic === true)
    this.#movers = scene.primitives.filter((primitive) => primitive.spec.isStatic !== true)
  }

  /** Draws the scene as it is now into `rgb`, `depth` and `ids`. */
  render(): void {
    if (this.#staticBuffers === undefined) this.#drawStatics()
    for (const { from, to } of this.#staticBuffers!) to.set(from)
    for (const primitive of this.#movers) {
      if (!this.#isShown(primitive)) continue
      this.#drawer.drawShadow(primitive)
      this.#resolveDrawn()
    }
    for (const primitive of this.#movers) {
      if (!this.#isShown(primitive)) continue
      this.#drawer.draw(primitive)
      this.#resolveDrawn()
    }
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
    this.#resolve(0, this.width, 0, this.height)
    const buffers: Buffer[] = [rgb, inverseDepth, ids, this.depth, this.ids]
    if (this.rgb !== rgb) buffers.push(this.rgb)
    this.#staticBuffers = buffers.map((buffer) => ({ from: buffer.slice(), to: buffer }))
  }

  #isShown({ visible, spec }: Primitive): boolean {
    return visible && (spec.visibleToCameras !== false || this.spec.showsHidden === true)
  }

  #resolveDrawn(): void {
    const { minColumn, maxColumn, minRow, maxRow } = this.#drawer
    const scale = this.#supersample
    this.#resolve(
      Math.floor(minColumn / scale),
      Math.ceil(maxColumn / scale),
      Math.floor(minRow / scale),
      Math.ceil(maxRow / scale),
    )
  }

  /** Brings a box of pixels from the drawing buffers to the outputs. */
  #resolve(minColumn: number, maxColumn: number, minRow: number, maxRow: number): void {
    if (this.#supersample === 2) {
      this.#resolveSamples(minColumn, maxColumn, minRow, maxRow)
      return
    }
    const { inverseDepth, ids } = this.#filler
    for (let row = minRow; row < maxRow; row++) {
      for (let pixel = row * this.width + minColumn, end = row * this.width + maxColumn; pixel < end; pixel++) {
        this.depth[pixel] = 1 / inverseDepth[pixel]!
        this.ids[pixel] = ids[pixel]! & ~SHADOWED
      }
    }
  }

  #resolveSamples(minColumn: number, maxColumn: number, minRow: number, maxRow: number): void {
    const { inverseDepth, ids, rgb, width: stride } = this.#filler
    for (let row = minRow; row < maxRow; row++) {
      for (let column = minColumn; column < maxColumn; column++) {
        const pixel = row * this.width + column
        const a = row * 2 * stride + column * 2
        const c = a + stride
        for (let k = 0; k < 3; k++) {
          const sum = rgb[a * 3 + k]! + rgb[a * 3 + 3 + k]! + rgb[c * 3 + k]! + rgb[c * 3 + 3 + k]!
          this.rgb[pixel * 3 + k] = (sum + 2) >> 2
        }
        let nearest = a
        if (inverseDepth[a + 1]! > inverseDepth[nearest]!) nearest = a + 1
        if (inverseDepth[c]! > inverseDepth[nearest]!) nearest = c
        if (inverseDepth[c + 1]! > inverseDepth[nearest]!) nearest = c + 1
        this.depth[pixel] = 1 / inverseDepth[nearest]!
        this.ids[pixel] = ids[nearest]! & ~SHADOWED
      }
    }
  }
}

type Buffer = Uint8Array | Float32Array | Uint16Array

function isSize(n: number): boolean {
  return Number.isInteger(n) && n >= 1 && n <= 4096
}
