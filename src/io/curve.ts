import type { RgbImage } from './image.ts'
import { collage, textImage } from './image.ts'

/** How much of a curve is drawn, and in what. */
export interface CurveOptions {
  readonly width: number
  readonly height: number
  /** Values that fit from side to side: curves of one film have the same. */
  readonly count: number
  /** Bottom and top, in the unit of the values. */
  readonly range: readonly [low: number, high: number]
}

const FRAME_COLOUR = [200, 200, 200] as const
const LINE_COLOUR = [30, 90, 190] as const
const POINT_COLOUR = [210, 60, 40] as const
/** Pixels between the frame and the line, and half the side of the newest point. */
const [MARGIN, POINT] = [3, 2]

/**
 * `values` as a line from the left, with a point at the newest and the ends of the range beside the frame: drawn for more and more values
 * it is a curve that grows. Values outside the range stop at its ends; none leave the frame empty.
 */
export function curveImage(values: readonly number[], options: CurveOptions): RgbImage {
  const { width, height, count, range } = options
  const [low, high] = range
  const page = pageWithRange(options)
  drawFrame(page)
  const span = high > low ? high - low : 1
  const [across, up] = [width - 1 - 2 * MARGIN, height - 1 - 2 * MARGIN]
  const x = (i: number): number => MARGIN + Math.round((i / Math.max(1, count - 1)) * across)
  const y = (value: number): number => {
    const share = Math.min(1, Math.max(0, (value - low) / span))
    return height - 1 - MARGIN - Math.round(share * up)
  }
  for (let i = 1; i < values.length; i++) drawLine(page, x(i - 1), y(values[i - 1]!), x(i), y(values[i]!))
  const last = values.length - 1
  if (last >= 0) fillSquare(page, x(last), y(values[last]!))
  return page
}

/** White, with the ends of the range at the right where there is room. */
function pageWithRange({ width, height, range: [low, high] }: CurveOptions): RgbImage {
  const [top, bottom] = [textImage(tick(high)), textImage(tick(low))]
  const room = width > Math.max(top.width, bottom.width) + 4 * MARGIN && height > 2 * top.height + 4 * MARGIN
  if (!room) return collage(width, height, [])
  return collage(width, height, [
    { image: top, left: width - top.width - MARGIN, top: MARGIN },
    { image: bottom, left: width - bottom.width - MARGIN, top: height - bottom.height - MARGIN },
  ])
}

function tick(value: number): string {
  return String(Number(value.toPrecision(3)))
}

function drawFrame(page: RgbImage): void {
  const { width, height } = page
  for (let x = 0; x < width; x++) for (const y of [0, height - 1]) paint(page, x, y, FRAME_COLOUR)
  for (let y = 0; y < height; y++) for (const x of [0, width - 1]) paint(page, x, y, FRAME_COLOUR)
}

/** Two pixels thick. */
function drawLine(page: RgbImage, fromX: number, fromY: number, toX: number, toY: number): void {
  const steps = Math.max(1, Math.abs(toX - fromX), Math.abs(toY - fromY))
  for (let i = 0; i <= steps; i++) {
    const [x, y] = [fromX + ((toX - fromX) * i) / steps, fromY + ((toY - fromY) * i) / steps].map(Math.round) as [
      number,
      number,
    ]
    paint(page, x, y, LINE_COLOUR)
    paint(page, x, y + 1, LINE_COLOUR)
  }
}

function fillSquare(page: RgbImage, x: number, y: number): void {
  for (let dx = -POINT; dx <= POINT; dx++)
    for (let dy = -POINT; dy <= POINT; dy++) paint(page, x + dx, y + dy, POINT_COLOUR)
}

function paint(
  { data, width, height }: RgbImage,
  x: number,
  y: number,
  colour: readonly [number, number, number],
): void {
  if (x < 0 || y < 0 || x >= width || y >= height) return
  data.set(colour, (y * width + x) * 3)
}
