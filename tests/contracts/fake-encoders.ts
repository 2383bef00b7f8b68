import type { EncoderInput } from '../../src/core/encoder-input.ts'
import { checkInput, SINGLE_FRAME } from '../../src/core/encoder-input.ts'
import type { Encoder, EncoderSpec } from '../../src/core/encoder.ts'

/** Frames of one RGB pixel; the encoders below read its first channel, the mark. */
export const PIXEL = [1, 1, 3] as const

/** A frame with a mark. */
export const marked = (mark: number): Uint8Array => Uint8Array.of(mark, 0, 0)

/** An encoder whose latents are the marks that it was shown: what it looked at can be read off. */
export function markEncoder(
  parts: Partial<Pick<EncoderSpec, 'window' | 'takesContext'>> & { readonly goalTower?: boolean },
): Encoder {
  const { window = SINGLE_FRAME, takesContext = false, goalTower = false } = parts
  const latentSize = window.frames + (takesContext ? 1 : 0)
  const spec = { name: 'marks', frameShape: PIXEL, latentSize, window, takesContext } as const
  const encode = async (input: EncoderInput): Promise<Float32Array> => {
    checkInput(spec, input)
    return Float32Array.from({ length: input.count * latentSize }, (_, at) => {
      const [row, i] = [Math.floor(at / latentSize), at % latentSize]
      return i < window.frames ? input.frames[(row * window.frames + i) * 3]! : input.context![row * 3]!
    })
  }
  return {
    spec: { ...spec, batch: { kind: 'frames', options: {} } },
    encode,
    ...(goalTower && { encodeGoal: async (input) => (await encode(input)).map((mark) => mark + 1000) }),
    save: () => ({}),
    restore: () => {},
    dispose: () => {},
  }
}
