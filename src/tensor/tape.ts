import type { Tensor, TensorInfo } from '@tensorflow/tfjs-core'
import { engine } from '@tensorflow/tfjs-core'

interface TapeNode {
  readonly inputs: Readonly<Record<string, TensorInfo | undefined>>
}

/** The part of TF.js's engine that records what gradients will need. */
interface Recorder {
  readonly state: { readonly activeTape: TapeNode[] | null }
  addTapeNode(kernel: string, inputs: object, outputs: Tensor[], ...rest: unknown[]): void
}

let mended = false

/**
 * Mends second derivatives. Ops whose gradient is written in their result (tanh, sigmoid, exp, softmax, ...) save a copy of it, and
 * TF.js records the copying before the op itself: the copy then seems to depend on nothing, and second derivatives lack what
 * flows through it, without a word. Here the op comes first on the tape, then the copies.
 */
export function mendTape(): void {
  if (mended) return
  mended = true
  const recorder = engine() as unknown as Recorder
  const record = recorder.addTapeNode.bind(recorder)
  recorder.addTapeNode = (kernel, inputs, outputs, ...rest) => {
    record(kernel, inputs, outputs, ...rest)
    const tape = recorder.state.activeTape
    const node = tape?.pop()
    if (tape === null || node === undefined) return
    let at = tape.length
    while (at > 0 && isCopyOf(tape[at - 1]!, outputs)) at--
    tape.splice(at, 0, node)
  }
}

function isCopyOf({ inputs }: TapeNode, results: readonly Tensor[]): boolean {
  const source = inputs['x'] as Tensor | undefined
  return source !== undefined && results.some(({ id }) => id === source.id)
}
