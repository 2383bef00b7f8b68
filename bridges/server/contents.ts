import { ndarray } from '../../src/core/ndarray.ts'
import type { RobotSpec } from '../../src/core/robot.ts'
import type { GoalContent, ImageContent } from '../protocol/messages.ts'

/** A robot's goal as a message has it. */
export function goalContent(
  { state, images }: { readonly state: Float32Array; readonly images: Readonly<Record<string, Uint8Array>> },
  spec: RobotSpec,
): GoalContent {
  return { state, images: imageContents(images, spec) }
}

/** Images, by camera, as a message has them: views of the robot's arrays. */
export function imageContents(
  images: Readonly<Record<string, Uint8Array>>,
  { imageSpaces }: RobotSpec,
): Record<string, ImageContent> {
  const contents: Record<string, ImageContent> = {}
  for (const name of Object.keys(images)) {
    contents[name] = { encoding: 'raw', pixels: ndarray(images[name]!, imageSpaces[name]!.shape) }
  }
  return contents
}

/** The elements of `values` at `indices`, as an array of its own. */
export function picked(values: Float32Array, indices: readonly number[]): Float32Array {
  const picks = new Float32Array(indices.length)
  for (let i = 0; i < indices.length; i++) picks[i] = values[indices[i]!]!
  return picks
}
