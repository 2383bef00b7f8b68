import { beforeAll, describe, expect, test } from 'vitest'
import type { Encoder } from '../../../src/core/encoder.ts'
import type { InputShape } from '../../../src/core/encoder-input.ts'
import type { NamedArrays } from '../../../src/core/ndarray.ts'
import { Rng } from '../../../src/core/rng.ts'
import { makeEncoder } from '../../../src/index.ts'
import { startEngine } from '../../../src/tensor/engine.ts'

beforeAll(async () => {
  await startEngine({ threads: 1 })
})

const [HEIGHT, WIDTH, CHANNELS, FRAMES] = [20, 23, 3, 3] as const
const FRAME = HEIGHT * WIDTH * CHANNELS
const STACK = [FRAMES, HEIGHT, WIDTH, CHANNELS] as const
const SMALL = { latentSize: 5, filters: 4, layers: 2 }

function trunk(shape: InputShape, config: object = {}): Encoder {
  return makeEncoder('trunk', shape, new Rng(1), { ...SMALL, ...config })
}

function noise(count: number, seed = 2): Uint8Array {
  const rng = new Rng(seed)
  return Uint8Array.from({ length: count * FRAMES * FRAME }, () => rng.int(256))
}

/** A bright square on black, its corner at `row` and `column`. */
function square(row: number, column: number): Uint8Array {
  const frame = new Uint8Array(FRAME)
  for (let r = row; r < row + 4; r++) {
    for (let c = column; c < column + 4; c++)
      frame.fill(255, (r * WIDTH + c) * CHANNELS, (r * WIDTH + c + 1) * CHANNELS)
  }
  return frame
}

/** [frames, H, W, C] with the channels of the frames behind each other, [H, W, frames * C]. */
function channelsBehind(stack: Uint8Array): Uint8Array {
  const behind = new Uint8Array(stack.length)
  stack.forEach((byte, i) => {
    const [frame, pixel, channel] = [Math.floor(i / FRAME), Math.floor((i % FRAME) / CHANNELS), i % CHANNELS]
    behind[(pixel * FRAMES + frame) * CHANNELS + channel] = byte
  })
  return behind
}

async function encodeOne(encoder: Encoder, frames: readonly Uint8Array[]): Promise<Float32Array> {
  return encoder.encode({ count: 1, frames: Buffer.concat(frames) })
}

const distance = (a: Float32Array, b: Float32Array): number => Math.hypot(...a.map((x, i) => x - b[i]!))

describe('frames that are seen at once', () => {
  test('go through a flat trunk as one with their channels behind each other, and its weights of before fit', async () => {
    const [stacked, single] = [trunk(STACK), trunk([HEIGHT, WIDTH, FRAMES * CHANNELS])]
    stacked.restore(single.save())
    const rows = [noise(1, 2), noise(1, 3)]
    const expected = await single.encode({ count: 2, frames: Buffer.concat(rows.map(channelsBehind)) })
    const latents = await stacked.encode({ count: 2, frames: Buffer.concat(rows) })
    for (const [i, x] of latents.entries()) expect(x).toBeCloseTo(expected[i]!, 4)
    for (const encoder of [stacked, single]) encoder.dispose()
  })

  test('have to be as many and as large as those that weights looked at', () => {
    const saved = (shape: InputShape): NamedArrays => {
      const encoder = trunk(shape)
      const arrays = encoder.save()
      encoder.dispose()
      return arrays
    }
    const encoder = trunk(STACK)
    expect(() => encoder.restore(saved([2, HEIGHT, WIDTH, CHANNELS]))).toThrow('got those that look at 2 frames')
    expect(() => encoder.restore(saved([HEIGHT, WIDTH, CHANNELS]))).toThrow('got those that look at a frame of')
    encoder.dispose()
  })

  test.each(['trunk', 'curl', 'deepmdp', 'dbc', 'autoencoder'])(
    'are what %s can look at, with either readout',
    async (name) => {
      for (const readout of ['flat', 'positions']) {
        const config = {
          latentSize: 5,
          filters: 4,
          layers: 2,
          readout,
          ...(name === 'autoencoder' && { architecture: 'trunk' }),
        }
        const encoder = makeEncoder(name, STACK, new Rng(1), config, 2)
        expect(encoder.spec).toMatchObject({
          frameShape: [HEIGHT, WIDTH, CHANNELS],
          window: { frames: FRAMES, stride: 1 },
        })
        const latents = await encoder.encode({ count: 2, frames: noise(2) })
        expect(latents).toHaveLength(10)
        expect(latents.every(Number.isFinite)).toBe(true)
        if (encoder.decode) expect(await encoder.decode(latents, 2)).toHaveLength(2 * FRAME)
        encoder.dispose()
      }
    },
  )

  test('are refused by an encoder of one frame, which says what to do', () => {
    expect(() => makeEncoder('beta-vae', STACK, new Rng(1))).toThrow('or set representation.stack=1')
    expect(() => makeEncoder('autoencoder', STACK, new Rng(1))).toThrow('expected trunk')
  })
})

describe('the readout by positions', () => {
  const config = { readout: 'positions', latentSize: 8 }

  test('tells apart what moves there, what moves back and what stands still, which the newest frame alone does not', async () => {
    const seesOne = trunk([HEIGHT, WIDTH, CHANNELS], config)
    const encoder = trunk(STACK, config)
    const [left, middle, right] = [square(8, 3), square(8, 9), square(8, 15)]
    const still = await encodeOne(encoder, [middle, middle, middle])
    const there = await encodeOne(encoder, [left, left, middle])
    const back = await encodeOne(encoder, [right, right, middle])
    expect(distance(there, back)).toBeGreaterThan(0.1)
    expect(distance(there, still)).toBeGreaterThan(0.05)
    const alone = await encodeOne(seesOne, [middle])
    expect(alone).toEqual(await encodeOne(seesOne, [middle]))
    for (const one of [seesOne, encoder]) one.dispose()
  })

  test('of a stack in which nothing moves it is a function of one frame: motion counts nothing', async () => {
    const [one, three] = [trunk([HEIGHT, WIDTH, CHANNELS], config), trunk(STACK, config)]
    const { 'weights/encoder/latent/kernel': kernel, ...others } = three.save()
    const places = 2 * 4
    // The first rows of the dense layer are those of the newest frame.
    const ofNewest = { data: kernel!.data.slice(0, places * 8), shape: [places, 8] }
    one.restore({ ...one.save(), ...pick(others), 'weights/encoder/latent/kernel': ofNewest })
    for (const frame of [square(2, 3), square(10, 14)]) {
      const latents = await encodeOne(three, [frame, frame, frame])
      const expected = await encodeOne(one, [frame])
      for (const [i, x] of latents.entries()) expect(x).toBeCloseTo(expected[i]!, 4)
    }
    for (const encoder of [one, three]) encoder.dispose()
  })

  test('needs two positions to tell apart', () => {
    expect(() => trunk([3, 13, 40, 3], config)).toThrow('14 to 512 pixels a side for positions')
    trunk([3, 14, 14, 3], config).dispose()
    const reconstructs = { architecture: 'trunk', readout: 'positions', layers: 4 }
    expect(() => makeEncoder('autoencoder', [3, 14, 14, 3], new Rng(1), reconstructs)).toThrow('or set fewer layers')
  })
})

/** Without what a network looks at, which differs. */
function pick(arrays: NamedArrays): NamedArrays {
  return Object.fromEntries(Object.entries(arrays).filter(([name]) => name.startsWith('weights/')))
}
