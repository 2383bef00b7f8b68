import type { Pattern } from './patterns.ts'

/** Bit of an id that marks a pixel as already shadowed; the visible id is the other 15 bits. */
export const SHADOWED = 0x8000

/** Most corners a polygon can have after clipping. */
export const MAX_CORNERS = 64

/** Inverse depth as a function of the pixel: atOrigin + perColumn * column + perRow * row, at pixel centres. */
export interface DepthPlane {
  perColumn: number
  perRow: number
  atOrigin: number
}

/** Position in the object's xy plane as ratios of affine functions of the pixel: (base + direction / inverse depth). */
export interface TexturePlane {
  baseU: number
  baseV: number
  directionU: DepthPlane
  directionV: DepthPlane
  scaleM: number
}

/**
 * Scan-converts convex polygons with a z-buffer on inverse depth, which is affine in screen space. A pixel is covered when its
 * centre lies inside; on a shared edge it belongs to exactly one polygon, because both compute the edge from its upper end.
 * Nearer wins, and at equal depth the polygon drawn first.
 */
export class PolygonFiller {
  readonly width: number
  readonly height: number
  /** [height, width, 3] */
  readonly rgb: Uint8Array
  /** [height, width] 1/z in 1/m; 0 where there is nothing. */
  readonly inverseDepth: Float32Array
  /** [height, width] primitive ids, with {@link SHADOWED}. */
  readonly ids: Uint16Array
  /** Corners of the polygon to draw, in pixels, counter-clockwise as seen, and their shade (0..1). */
  readonly cornerX: Float64Array = new Float64Array(MAX_CORNERS)
  readonly cornerY: Float64Array = new Float64Array(MAX_CORNERS)
  readonly cornerShade: Float64Array = new Float64Array(MAX_CORNERS)
  readonly depthPlane: DepthPlane = { perColumn: 0, perRow: 0, atOrigin: 0 }
  /**
   * RGB of the polygon to draw (0..255). This and the other inputs are fields because numbers with a fraction that are passed as
   * arguments are allocated.
   */
  readonly color: Float64Array = new Float64Array(3)
  /** Share of its colour that a pixel keeps in shadow. */
  shadowKeep = 1

  readonly #leftX: Float64Array
  readonly #rightX: Float64Array
  readonly #leftShade: Float64Array
  readonly #rightShade: Float64Array
  #rowStart = 0
  #rowEnd = 0

  constructor(width: number, height: number) {
    this.width = width
    this.height = height
    this.rgb = new Uint8Array(width * height * 3)
    this.inverseDepth = new Float32Array(width * height)
    this.ids = new Uint16Array(width * height)
    this.#leftX = new Float64Array(height)
    this.#rightX = new Float64Array(height)
    this.#leftShade = new Float64Array(height)
    this.#rightShade = new Float64Array(height)
  }

  /** `color` all over. */
  fillFlat(corners: number, id: number): void {
    if (!this.#scan(corners, false)) return
    const { width, rgb, inverseDepth, ids, depthPlane, color } = this
    const red = color[0]!
    const green = color[1]!
    const blue = color[2]!
    const leftX = this.#leftX
    const rightX = this.#rightX
    const { perColumn } = depthPlane
    const rowEnd = this.#rowEnd
    for (let row = this.#rowStart; row < rowEnd; row++) {
      const start = firstCentre(leftX[row]!)
      const end = endColumn(rightX[row]!, width)
      let depth = depthPlane.atOrigin + depthPlane.perRow * row + perColumn * start
      for (let pixel = row * width + start, stop = row * width + end; pixel < stop; pixel++, depth += perColumn) {
        if (depth > inverseDepth[pixel]!) {
          inverseDepth[pixel] = depth
          ids[pixel] = id
          rgb[pixel * 3] = red
          rgb[pixel * 3 + 1] = green
          rgb[pixel * 3 + 2] = blue
        }
      }
    }
  }

  /** `color` times the shade of the corners, interpolated along edges and rows (Gouraud). */
  fillSmooth(corners: number, id: number): void {
    if (!this.#scan(corners, true)) return
    const { width, rgb, inverseDepth, ids, depthPlane, color } = this
    const red = color[0]!
    const green = color[1]!
    const blue = color[2]!
    const leftX = this.#leftX
    const rightX = this.#rightX
    const leftShade = this.#leftShade
    const rightShade = this.#rightShade
    const { perColumn } = depthPlane
    const rowEnd = this.#rowEnd
    for (let row = this.#rowStart; row < rowEnd; row++) {
      const left = leftX[row]!
      const start = firstCentre(left)
      const end = endColumn(rightX[row]!, width)
      if (start >= end) continue
      const shadeStep = (rightShade[row]! - leftShade[row]!) / (rightX[row]! - left)
      let shade = leftShade[row]! + (start + 0.5 - left) * shadeStep
      let depth = depthPlane.atOrigin + depthPlane.perRow * row + perColumn * start
      for (let pixel = row * width + start, stop = row * width + end; pixel < stop; pixel++) {
        if (depth > inverseDepth[pixel]!) {
          inverseDepth[pixel] = depth
          ids[pixel] = id
          rgb[pixel * 3] = red * shade
          rgb[pixel * 3 + 1] = green * shade
          rgb[pixel * 3 + 2] = blue * shade
        }
        depth += perColumn
        shade += shadeStep
      }
    }
  }

  /** Squares of `color` and `odd` on a face that lies in its object's xy plane. */
  fillChecker(corners: number, id: number, odd: Float64Array, plane: TexturePlane): void {
    if (!this.#scan(corners, false)) return
    const { width, rgb, inverseDepth, ids, depthPlane, color: even } = this
    const { directionU, directionV, baseU, baseV } = plane
    const perMetre = 1 / plane.scaleM
    for (let row = this.#rowStart; row < this.#rowEnd; row++) {
      const end = endColumn(this.#rightX[row]!, width)
      for (let column = firstCentre(this.#leftX[row]!); column < end; column++) {
        const pixel = row * width + column
        const depth = depthPlane.atOrigin + depthPlane.perRow * row + depthPlane.perColumn * column
        if (!(depth > inverseDepth[pixel]!)) continue
        const u = baseU + (directionU.atOrigin + directionU.perRow * row + directionU.perColumn * column) / depth
        const v = baseV + (directionV.atOrigin + directionV.perRow * row + directionV.perColumn * column) / depth
        const color = ((Math.floor(u * perMetre) + Math.floor(v * perMetre)) & 1) === 0 ? even : odd
        inverseDepth[pixel] = depth
        ids[pixel] = id
        rgb[pixel * 3] = color[0]!
        rgb[pixel * 3 + 1] = color[1]!
        rgb[pixel * 3 + 2] = color[2]!
      }
    }
  }

  /** As `fillChecker`, mixed by `pattern`: `color` where that is 0, `odd` where it is 1. */
  fillPattern(corners: number, id: number, odd: Float64Array, plane: TexturePlane, pattern: Pattern): void {
    if (!this.#scan(corners, false)) return
    const { width, rgb, inverseDepth, ids, depthPlane, color } = this
    const { directionU, directionV, baseU, baseV } = plane
    const perMetre = 1 / plane.scaleM
    for (let row = this.#rowStart; row < this.#rowEnd; row++) {
      const end = endColumn(this.#rightX[row]!, width)
      for (let column = firstCentre(this.#leftX[row]!); column < end; column++) {
        const pixel = row * width + column
        const depth = depthPlane.atOrigin + depthPlane.perRow * row + depthPlane.perColumn * column
        if (!(depth > inverseDepth[pixel]!)) continue
        const u = baseU + (directionU.atOrigin + directionU.perRow * row + directionU.perColumn * column) / depth
        const v = baseV + (directionV.atOrigin + directionV.perRow * row + directionV.perColumn * column) / depth
        const share = pattern(u * perMetre, v * perMetre)
        inverseDepth[pixel] = depth
        ids[pixel] = id
        for (let c = 0; c < 3; c++) rgb[pixel * 3 + c] = color[c]! + share * (odd[c]! - color[c]!)
      }
    }
  }

  /** Darkens the pixels of primitive `onto`, each once. */
  fillShadow(corners: number, onto: number): void {
    if (!this.#scan(corners, false)) return
    const { width, rgb, ids, shadowKeep: keep } = this
    const leftX = this.#leftX
    const rightX = this.#rightX
    const rowEnd = this.#rowEnd
    for (let row = this.#rowStart; row < rowEnd; row++) {
      const stop = row * width + endColumn(rightX[row]!, width)
      for (let pixel = row * width + firstCentre(leftX[row]!); pixel < stop; pixel++) {
        if (ids[pixel] !== onto) continue
        ids[pixel] = onto | SHADOWED
        rgb[pixel * 3] = rgb[pixel * 3]! * keep
        rgb[pixel * 3 + 1] = rgb[pixel * 3 + 1]! * keep
        rgb[pixel * 3 + 2] = rgb[pixel * 3 + 2]! * keep
      }
    }
  }

  /** Finds where the polygon's left and right side cross the rows' centre lines; false when no row is covered. */
  #scan(corners: number, withShade: boolean): boolean {
    const { cornerX, cornerY, cornerShade, width, height } = this
    let minX = cornerX[0]!
    let maxX = minX
    let minY = cornerY[0]!
    let maxY = minY
    for (let i = 1; i < corners; i++) {
      const x = cornerX[i]!
      const y = cornerY[i]!
      if (x < minX) minX = x
      else if (x > maxX) maxX = x
      if (y < minY) minY = y
      else if (y > maxY) maxY = y
    }
    if (maxX <= 0.5 || minX > width - 0.5) return false
    const rowStart = minY <= 0.5 ? 0 : Math.ceil(minY - 0.5)
    const rowEnd = maxY >= height ? height : Math.ceil(maxY - 0.5)
    if (rowStart >= rowEnd) return false
    this.#rowStart = rowStart
    this.#rowEnd = rowEnd
    for (let i = corners - 1, j = 0; j < corners; i = j++) {
      // Seen counter-clockwise, edges that go down bound the polygon on its left.
      const isLeft = cornerY[i]! < cornerY[j]!
      const upper = isLeft ? i : j
      const lower = isLeft ? j : i
      const topY = cornerY[upper]!
      const bottomY = cornerY[lower]!
      const first = topY <= 0.5 ? 0 : Math.ceil(topY - 0.5)
      const end = bottomY >= height ? height : Math.ceil(bottomY - 0.5)
      if (first >= end) continue
      const perRow = 1 / (bottomY - topY)
      const slope = (cornerX[lower]! - cornerX[upper]!) * perRow
      const side = isLeft ? this.#leftX : this.#rightX
      let x = cornerX[upper]! + (first + 0.5 - topY) * slope
      for (let row = first; row < end; row++, x += slope) side[row] = x
      if (!withShade) continue
      const shadeSlope = (cornerShade[lower]! - cornerShade[upper]!) * perRow
      const shades = isLeft ? this.#leftShade : this.#rightShade
      let shade = cornerShade[upper]! + (first + 0.5 - topY) * shadeSlope
      for (let row = first; row < end; row++, shade += shadeSlope) shades[row] = shade
    }
    return true
  }
}

/** First column whose centre is at or right of `x`, at least 0. */
function firstCentre(x: number): number {
  return x <= 0.5 ? 0 : Math.ceil(x - 0.5)
}

/** First column whose centre is right of the span that ends at `x`, at most `width`. */
function endColumn(x: number, width: number): number {
  return x >= width ? width : x <= 0.5 ? 0 : Math.ceil(x - 0.5)
}
