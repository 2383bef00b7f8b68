import type { CameraMatrices } from '../../src/core/env.ts'
import { DISTRACTOR_ID } from '../../src/core/env.ts'
import { ArmatureError } from '../../src/core/errors.ts'
import type { CameraPose, CameraSpec, ImageSize } from './camera.ts'
import { cameraMatrices, carry, focalLengthPx, lookAt } from './camera.ts'
import { MeshDrawer } from './mesh-drawer.ts'
import { PolygonFiller, SHADOWED } from './polygon-filler.ts'
import type { Primitive, Scene, TextureSpec } from './scene.ts'

/** What a camera shows where it sees nothing, in place of the scene's background: an image that moves with the camera. */
export interface Backdrop {
  /** uint8 [height, width, 3], of the camera's size. */
  readonly rgb: Uint8Array
  /** Also in place of the ground, where the shadows that fall on it stay. */
  readonly onGround: boolean
}

/**
 * A camera on a scene: RGB, depth and ids in one pass on one thread, without allocation per frame. The same scene gives the same bytes
 * each time. Static primitives are drawn first and kept until one of them, the light or the camera changes, which changes no pixel;
 * a mounted camera draws everything each time.
 *
 * @example
 * const camera = new Rasterizer(scene, { name: 'front', eyeM: [0, -1, 1], targetM: [0, 0, 0], fovYDeg: 40 }, { width: 64, height: 64 })
 * setPosition(scene.primitive('puck'), 0.1, 0, 0.015)
 * camera.render()
 * camera.rgb // [64, 64, 3], overwritten by the next render
 */
export class Rasterizer {
  readonly width: number
  readonly height: number
  /** uint8 [height, width, 3] */
  readonly rgb: Uint8Array
  /** Distance along the optical axis in metres [height, width]; Infinity where there is nothing. */
  readonly depth: Float32Array
  /** Primitive ids [height, width]; 0 where there is nothing, `DISTRACTOR_ID` where there is a backdrop. */
  readonly ids: Uint16Array

  readonly #scene: Scene
  readonly #groundId: number
  readonly #supersample: 1 | 2
  #spec: CameraSpec
  /** In the frame of `#carrier`, or of the world. */
  #localPose: CameraPose
  readonly #pose: CameraPose = { rotation: new Float64Array(9), position: new Float64Array(3) }
  #carrier: Primitive | undefined
  readonly #filler: PolygonFiller
  readonly #drawer: MeshDrawer
  readonly #statics: readonly Primitive[]
  readonly #movers: readonly Primitive[]
  /** Columns [start, end) of each row that movers can have changed in this frame. */
  readonly #changedStart: Int32Array
  readonly #changedEnd: Int32Array
  /** Copies of the buffers with only the static primitives drawn; undefined until the first frame of a camera that stands still. */
  #staticBuffers: { readonly from: Buffer; readonly to: Buffer }[] | undefined
  /** What the copies were drawn from: poses and colours of `#statics` in turn, the light, the camera. */
  readonly #drawnFrom: Float64Array
  readonly #drawnTextures: (TextureSpec | undefined)[]
  readonly #drawnShown: boolean[]
  #drawnAmbient = Number.NaN
  #noted = 0

  /** @param supersample 2 averages 2x2 samples per pixel; depth and id are then those of the nearest sample. */
  constructor(scene: Scene, spec: CameraSpec, size: ImageSize, supersample: 1 | 2 = 1) {
    if (!isSize(size.width) || !isSize(size.height)) {
      throw new ArmatureError('bad-argument', 'camera size', {
        expected: 'whole numbers of pixels from 1 to 4096',
        got: `${size.width} x ${size.height}`,
      })
    }
    this.width = size.width
    this.height = size.height
    this.#scene = scene
    this.#groundId = scene.spec.shadow === undefined ? 0 : scene.primitive(scene.spec.shadow.onto).id
    this.#supersample = supersample
    this.#filler = new PolygonFiller(size.width * supersample, size.height * supersample)
    this.#drawer = new MeshDrawer(this.#filler, scene, this.#pose)
    this.#spec = spec
    this.#localPose = this.#pose
    this.aim(spec)
    const pixels = size.width * size.height
    this.rgb = supersample === 1 ? this.#filler.rgb : new Uint8Array(pixels * 3)
    this.depth = new Float32Array(pixels)
    this.ids = new Uint16Array(pixels)
    this.#changedStart = new Int32Array(size.height)
    this.#changedEnd = new Int32Array(size.height)
    this.#statics = scene.primitives.filter((primitive) => primitive.spec.isStatic === true)
    this.#movers = scene.primitives.filter((primitive) => primitive.spec.isStatic !== true)
    this.#drawnFrom = new Float64Array(this.#statics.length * 15 + 16)
    this.#drawnTextures = Array.from(this.#statics, () => undefined)
    this.#drawnShown = Array.from(this.#statics, () => false)
  }

  get spec(): CameraSpec {
    return this.#spec
  }

  /**
   * Moves the camera, from the next `render` on, to where `spec` says.
   * @throws ArmatureError `bad-argument` when it looks along its up direction, `not-found` for an unknown mount.
   */
  aim(spec: CameraSpec): void {
    const pose = lookAt(spec)
    this.#carrier = spec.mount === undefined ? undefined : this.#scene.primitive(spec.mount)
    this.#spec = spec
    this.#localPose = pose
    this.#pose.rotation.set(pose.rotation)
    this.#pose.position.set(pose.position)
    this.#drawer.focalPx = focalLengthPx(spec.fovYDeg, this.height * this.#supersample)
  }

  /** Where the camera is now, carried there by its mount. */
  matrices(): CameraMatrices {
    this.#follow()
    return cameraMatrices(this.#pose, this.#spec.fovYDeg, this)
  }

  /** Draws the scene as it is now, before `backdrop`, into `rgb`, `depth` and `ids`. */
  render(backdrop?: Backdrop): void {
    this.#follow()
    const isCarried = this.#carrier !== undefined
    if (isCarried) this.#drawStatics()
    else this.#restoreStatics()
    this.#changedStart.fill(isCarried ? 0 : this.width)
    this.#changedEnd.fill(isCarried ? this.width : 0)
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
    if (backdrop === undefined) return
    if (this.#supersample === 1) this.#fillBackdrop(backdrop)
    else this.#fillBackdropSamples(backdrop)
  }

  #follow(): void {
    if (this.#carrier !== undefined) carry(this.#pose, this.#localPose, this.#carrier)
  }

  /** Brings all buffers to how they are with only the static primitives drawn. */
  #restoreStatics(): void {
    const isStale = this.#noteStatics()
    if (this.#staticBuffers === undefined || isStale) {
      this.#drawStatics()
      this.#changedStart.fill(0)
      this.#changedEnd.fill(this.width)
      this.#resolve()
      this.#keepStatics()
    } else {
      for (const { from, to } of this.#staticBuffers) to.set(from)
    }
  }

  #keepStatics(): void {
    if (this.#staticBuffers === undefined) {
      const { rgb, inverseDepth, ids } = this.#filler
      const buffers: Buffer[] = [rgb, inverseDepth, ids, this.depth, this.ids]
      if (this.rgb !== rgb) buffers.push(this.rgb)
      this.#staticBuffers = buffers.map((buffer) => ({ from: buffer.slice(), to: buffer }))
    } else {
      for (const { from, to } of this.#staticBuffers) from.set(to)
    }
  }

  /** Notes all that the picture of the static primitives depends on; returns whether any of it has changed. */
  #noteStatics(): boolean {
    this.#noted = 0
    let isStale = this.#scene.ambient !== this.#drawnAmbient
    this.#drawnAmbient = this.#scene.ambient
    isStale = this.#note(this.#scene.light) || isStale
    isStale = this.#note(this.#pose.rotation) || isStale
    isStale = this.#note(this.#pose.position) || isStale
    const drawn = this.#drawnFrom
    isStale = drawn[this.#noted] !== this.#drawer.focalPx || isStale
    drawn[this.#noted++] = this.#drawer.focalPx
    for (let i = 0; i < this.#statics.length; i++) {
      const primitive = this.#statics[i]!
      const isShown = this.#isShown(primitive)
      isStale = this.#note(primitive.position) || isStale
      isStale = this.#note(primitive.rotation) || isStale
      isStale = this.#note(primitive.color) || isStale
      isStale ||= this.#drawnTextures[i] !== primitive.texture || this.#drawnShown[i] !== isShown
      this.#drawnTextures[i] = primitive.texture
      this.#drawnShown[i] = isShown
    }
    return isStale
  }

  #note(values: Float64Array): boolean {
    const drawn = this.#drawnFrom
    let isNew = false
    for (let i = 0; i < values.length; i++, this.#noted++) {
      if (drawn[this.#noted] === values[i]) continue
      drawn[this.#noted] = values[i]!
      isNew = true
    }
    return isNew
  }

  #drawStatics(): void {
    const { rgb, inverseDepth, ids } = this.#filler
    const [red, green, blue] = this.#scene.spec.background
    for (let i = 0; i < rgb.length; i += 3) {
      rgb[i] = red
      rgb[i + 1] = green
      rgb[i + 2] = blue
    }
    inverseDepth.fill(0)
    ids.fill(0)
    const shown = this.#statics.filter((primitive) => this.#isShown(primitive))
    for (const primitive of shown) this.#drawer.draw(primitive)
    for (const primitive of shown) this.#drawer.drawShadow(primitive)
  }

  /** Puts the backdrop into the outputs, where nothing or the ground was drawn. */
  #fillBackdrop({ rgb: image, onGround }: Backdrop): void {
    const { rgb, ids } = this
    const { ids: drawnIds, shadowKeep } = this.#filler
    const ground = onGround ? this.#groundId : 0
    for (let pixel = 0, at = 0; pixel < ids.length; pixel++, at += 3) {
      const id = ids[pixel]!
      if (id !== 0 && id !== ground) continue
      ids[pixel] = DISTRACTOR_ID
      const keep = drawnIds[pixel] === id ? 1 : shadowKeep
      rgb[at] = image[at]! * keep
      rgb[at + 1] = image[at + 1]! * keep
      rgb[at + 2] = image[at + 2]! * keep
    }
  }

  /** The same, as if every sample of a pixel showed that pixel of the backdrop. */
  #fillBackdropSamples({ rgb: image, onGround }: Backdrop): void {
    const { height, rgb, ids } = this
    const { ids: drawnIds, width: stride } = this.#filler
    const ground = onGround ? this.#groundId : 0
    for (let row = 0, pixel = 0; row < height; row++) {
      for (let a = row * 2 * stride, end = a + stride; a < end; a += 2, pixel++) {
        const first = drawnIds[a]!
        const isBehind = first === 0 || first === ground
        const isEven = drawnIds[a + 1] === first && drawnIds[a + stride] === first && drawnIds[a + stride + 1] === first
        if (isEven && isBehind) {
          const at = pixel * 3
          ids[pixel] = DISTRACTOR_ID
          rgb[at] = image[at]!
          rgb[at + 1] = image[at + 1]!
          rgb[at + 2] = image[at + 2]!
        } else if (!isEven || first === (ground | SHADOWED)) {
          this.#mixBackdrop(image, ground, pixel, a)
        }
      }
    }
  }

  /** A pixel of which only some samples are before the backdrop, or in a shadow on it; sample `a` is its upper left. */
  #mixBackdrop(image: Uint8Array, ground: number, pixel: number, a: number): void {
    const { rgb, ids } = this
    const { rgb: drawnRgb, ids: drawnIds, width: stride, shadowKeep } = this.#filler
    if (ids[pixel] === 0 || ids[pixel] === ground) ids[pixel] = DISTRACTOR_ID
    for (let at = pixel * 3, c = 0; c < 3; at++, c++) {
      let sum = 2
      for (let s = 0; s < 4; s++) {
        const sample = a + (s & 1) + (s >> 1) * stride
        const id = drawnIds[sample]! & ~SHADOWED
        if (id !== 0 && id !== ground) sum += drawnRgb[sample * 3 + c]!
        else sum += drawnIds[sample] === id ? image[at]! : Math.floor(image[at]! * shadowKeep)
      }
      rgb[at] = sum >> 2
    }
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
