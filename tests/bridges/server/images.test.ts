import { afterEach, describe, expect, it } from 'vitest'
import type { PolicyClient } from '../../../bridges/client/policy-client.ts'
import { ObserverClient } from '../../../bridges/client/observer-client.ts'
import { encodeMessage, LARGE_BYTES } from '../../../bridges/protocol/codec.ts'
import { decompressed, Jpeg } from '../../../bridges/protocol/jpeg.ts'
import type { CompressedObservationMessage, ObservationContent } from '../../../bridges/protocol/messages.ts'
import type { CompressedContent } from '../../../bridges/server/images/compressor.ts'
import { Compressor } from '../../../bridges/server/images/compressor.ts'
import type { RobotReading } from '../../../src/core/robot.ts'
import { imageSpace } from '../../../src/core/spaces.ts'
import type { TestBridge } from '../helpers.ts'
import { openBridge, until } from '../helpers.ts'
import { observationOf } from '../observations.ts'
import { clock, SimpleRobot } from '../simple-robot.ts'
import { simulatedBridge, simulatedClient } from '../simulated-bridge.ts'

const [HEIGHT, WIDTH] = [48, 64]

/** Red above, blue below, brighter from left to right. */
function picture(height = HEIGHT, width = WIDTH): Uint8Array {
  const pixels = new Uint8Array(height * width * 3)
  for (let i = 0; i < height * width; i++) {
    const bright = 55 + Math.round((200 * (i % width)) / width)
    pixels[3 * i + (i < (height * width) / 2 ? 0 : 2)] = bright
  }
  return pixels
}

/** Largest mean difference of a colour. */
function difference(a: Uint8Array, b: Uint8Array): number {
  return a.reduce((sum, x, i) => sum + Math.abs(x - b[i]!), 0) / a.length
}

class Seeing extends SimpleRobot {
  constructor(size: readonly [number, number] = [HEIGHT, WIDTH]) {
    super({ imageSpaces: { front: imageSpace(...size), side: imageSpace(...size) } })
  }

  override async read(): Promise<RobotReading> {
    const reading = await super.read()
    const [height, width] = this.spec.imageSpaces['front']!.shape as [number, number]
    const image = picture(height, width)
    return { ...reading, observation: { ...reading.observation, images: { front: image, side: image } } }
  }
}

describe('JPEG', () => {
  const jpeg = Jpeg.load()

  it('is nearly the picture, in its colours', () => {
    const data = jpeg.encode(picture(), [HEIGHT, WIDTH], 90)
    expect(data.length).toBeLessThan(picture().length / 4)
    expect([...data.subarray(0, 2)]).toEqual([0xff, 0xd8])
    const back = jpeg.decode(data, [HEIGHT, WIDTH])
    expect(difference(back, picture())).toBeLessThan(8)
    // The first pixel is red, not blue.
    expect(back[0]! - back[2]!).toBeGreaterThan(30)
    expect(jpeg.encode(picture(), [HEIGHT, WIDTH], 20).length).toBeLessThan(data.length)
  })

  it('is refused where it is none, not whole, or of another size', () => {
    const data = jpeg.encode(picture(), [HEIGHT, WIDTH], 90)
    expect(() => jpeg.decode(data, [HEIGHT, WIDTH + 1])).toThrow('48x64x3 instead of 48x65x3')
    for (const bad of [new Uint8Array(0), Uint8Array.of(0xff, 0xd8), new Uint8Array(500).fill(7)]) {
      expect(() => jpeg.decode(bad, [HEIGHT, WIDTH])).toThrow('no JPEG')
    }
    for (const length of [data.length - 20, data.length / 2, 200]) {
      expect(() => jpeg.decode(data.subarray(0, length), [HEIGHT, WIDTH])).toThrow('no whole JPEG')
    }
    // Nothing of it takes the decoder away.
    expect(difference(jpeg.decode(data, [HEIGHT, WIDTH]), picture())).toBeLessThan(8)
  })

  it('is refused where its first frame could be taken for another, or comes twice', () => {
    const data = jpeg.encode(picture(), [HEIGHT, WIDTH], 90)
    const bytes = Buffer.from(data)
    const frame = bytes.indexOf(Uint8Array.of(0xff, 0xc0))
    const segment = bytes.subarray(frame, frame + 2 + bytes.readUInt16BE(frame + 2))
    // In 32 bits 21,925 x 65,298 x 3 is 8,654, less than the bytes of the picture.
    const huge = Buffer.from(segment)
    huge.writeUInt16BE(21_925, 5)
    huge.writeUInt16BE(65_298, 7)
    const [before, after] = [bytes.subarray(0, frame), bytes.subarray(frame)]
    for (const parts of [
      [before, Buffer.of(0), huge, after],
      [before, Buffer.of(0xff), huge, after],
      [before, Buffer.of(0xff, 0x01), huge, after],
      [before, huge, after],
      [before, segment, huge, after],
      [before, segment, after],
    ]) {
      expect(() => jpeg.decode(Buffer.concat(parts), [HEIGHT, WIDTH])).toThrow(/no JPEG|no whole JPEG|instead of/)
    }
  })

  it('of a camera that the robot does not have is refused', () => {
    const data = jpeg.encode(picture(), [HEIGHT, WIDTH], 90)
    const message: CompressedObservationMessage = {
      ...observationOf(1, 0),
      kind: 'compressed_observation',
      images: { top: { encoding: 'jpeg', data } },
    }
    const shape = [HEIGHT, WIDTH, 3]
    expect(decompressed(message, { top: { shape } }, jpeg).images['top']!.pixels.shape).toEqual(shape)
    for (const shapes of [{}, { side: { shape } }]) {
      expect(() => decompressed(message, shapes, jpeg)).toThrow('a camera that the robot does not have')
    }
  })
})

describe('a compressor', () => {
  let compressor: Compressor | undefined
  afterEach(() => compressor?.close())

  const content = (observationSeq: number, cameras: readonly string[]): ObservationContent => {
    const image = { encoding: 'raw', pixels: { data: picture(), shape: [HEIGHT, WIDTH, 3] } } as const
    return { ...observationOf(observationSeq, 0), images: Object.fromEntries(cameras.map((name) => [name, image])) }
  }

  it('gives back what it takes in order, leaves out what is too much, and copies what the robot overwrites', async () => {
    const done: CompressedContent[] = []
    const shape = [HEIGHT, WIDTH, 3]
    compressor = new Compressor({
      shapes: { a: shape, b: shape },
      quality: 85,
      onDone: (made) => done.push(made),
      onFailed: (error) => {
        throw error
      },
    })
    const first = content(1, ['a', 'b'])
    compressor.submit(first)
    // One without a new image does not overtake the one before.
    compressor.submit(content(2, []))
    first.proprio[0] = 99
    first.images['a']!.pixels.data.fill(0)
    for (let k = 3; k < 6; k++) compressor.submit(content(k, ['a']))
    expect(done).toEqual([])
    expect(compressor.dropped).toBe(3)
    expect(await until(() => done.length === 2)).toBe(true)
    expect(done.map(({ observationSeq }) => observationSeq)).toEqual([1, 2])
    expect(done[0]!.proprio[0]).toBe(1)
    const jpeg = Jpeg.load()
    expect(difference(jpeg.decode(done[0]!.images['a']!.data, [HEIGHT, WIDTH]), picture())).toBeLessThan(8)
    compressor.submit(content(7, ['b']))
    expect(await until(() => done.length === 3)).toBe(true)
    expect(Object.keys(done[2]!.images)).toEqual(['b'])
  })
})

describe('a compressor whose threads fail', () => {
  it('says so, starts others three times, and no more', async () => {
    const failures: string[] = []
    const width = 64.5
    const compressor = new Compressor({
      // No image has such a size: the thread cannot take it.
      shapes: { a: [HEIGHT, width, 3] },
      quality: 85,
      onDone: () => failures.push('done'),
      onFailed: ({ message }) => failures.push(message),
    })
    const pixels = { data: new Uint8Array(HEIGHT * width * 3), shape: [HEIGHT, width, 3] }
    const content = { ...observationOf(1, 0), images: { a: { encoding: 'raw', pixels } } } as const
    for (let k = 1; k <= 5; k++) {
      compressor.submit(content)
      if (k <= 3) expect(await until(() => failures.length === k)).toBe(true)
    }
    expect(failures).toHaveLength(3)
    expect(failures).not.toContain('done')
    expect(compressor.dropped).toBe(2)
    compressor.close()
  })
})

describe('a robot with cameras', () => {
  let bridge: TestBridge | undefined
  afterEach(async () => {
    await bridge?.close()
    bridge = undefined
  })

  async function frontOf(client: PolicyClient): Promise<Uint8Array> {
    const { images } = await client.nextObservation()
    expect(images['front']).toMatchObject({ encoding: 'raw', pixels: { shape: [HEIGHT, WIDTH, 3] } })
    return images['front']!.pixels.data
  }

  it.each([false, true])('sends each client what it asked for, isolated %s', async (isolated) => {
    bridge = await openBridge({ isolated, jpegQuality: 90 }, new Seeing())
    const compressed = await bridge.connect({ imageCodec: 'jpeg' })
    expect(compressed.welcome).toMatchObject({ imageCodec: 'jpeg', jpegQuality: 90 })
    expect(difference(await frontOf(compressed), picture())).toBeLessThan(8)
    const raw = await bridge.connect()
    expect(raw.welcome.imageCodec).toBe('raw')
    expect(difference(await frontOf(raw), picture())).toBe(0)
    // The other one goes on with its own.
    expect(difference(await frontOf(compressed), picture())).toBeGreaterThan(0)
    const seen: string[] = []
    const observer = await ObserverClient.connect({
      endpoint: bridge.server.endpoints.control,
      clock,
      imageCodec: 'jpeg',
      timeoutMs: 20_000,
      onMessage: ({ kind }) => seen.push(kind),
    })
    expect(await until(() => seen.includes('compressed_observation'))).toBe(true)
    expect(seen).not.toContain('observation')
    await observer.close()
  })

  it('does not compress where it offers no JPEG, or time waits for the policy', async () => {
    bridge = await openBridge({ jpegQuality: 0 }, new Seeing())
    const client = await bridge.connect({ imageCodec: 'jpeg' })
    expect(client.welcome.imageCodec).toBe('raw')
    expect(difference(await frontOf(client), picture())).toBe(0)
    await bridge.close()
    bridge = await openBridge({ mode: 'lockstep' }, new Seeing())
    expect((await bridge.connect({ imageCodec: 'jpeg' })).welcome.imageCodec).toBe('raw')
    await expect(openBridge({ jpegQuality: 101 }, new Seeing())).rejects.toThrow(/jpegQuality.*0 to 100.*101/)
  })

  it('sends large pixels whole, and small messages behind them', async () => {
    const size = [400, 500] as const
    bridge = await openBridge({ isolated: true }, new Seeing(size))
    const client = await bridge.connect()
    for (let k = 0; k < 3; k++) {
      const { images } = await client.nextObservation()
      expect(Buffer.compare(images['side']!.pixels.data, picture(...size))).toBe(0)
    }
    const shown = { front: { encoding: 'raw', pixels: { data: picture(...size), shape: [...size, 3] } } } as const
    const bytes = encodeMessage({ ...observationOf(1, 0), images: shown })
    expect(bytes.length).toBeGreaterThan(LARGE_BYTES)
    const small = encodeMessage(observationOf(2, 0))
    expect(small.buffer).not.toBe(bytes.buffer)
  })
})

describe('a client that was sent a picture that is none', () => {
  it('says so, and waits for the next', async () => {
    const bridge = await simulatedBridge({}, { imageSpaces: { front: imageSpace(HEIGHT, WIDTH) } }, (robot) => {
      const front = picture()
      robot.change = (reading) => ({ ...reading, observation: { ...reading.observation, images: { front } } })
    })
    const { time, network } = bridge
    const { client, connection } = await simulatedClient(bridge, { imageCodec: 'jpeg' })
    expect(client.welcome.imageCodec).toBe('jpeg')
    const run = client.welcome.run
    const next = client.nextObservation()
    const base = observationOf(1e6, 0, { session: run, epoch: client.epoch })
    const message = { ...base, timeUs: time.clock(), captureUs: time.clock() }
    const data = new Uint8Array(100)
    network.publish(
      encodeMessage({ ...message, kind: 'compressed_observation', images: { front: { encoding: 'jpeg', data } } }),
    )
    await time.advance(5)
    expect(connection).toContain('bad_message')
    const good = Jpeg.load().encode(picture(), [HEIGHT, WIDTH], 85)
    network.publish(
      encodeMessage({
        ...message,
        seq: 1e6 + 1,
        observationSeq: 1e6 + 1,
        kind: 'compressed_observation',
        images: { front: { encoding: 'jpeg', data: good } },
      }),
    )
    const { images } = await time.during(next)
    expect(difference(images['front']!.pixels.data, picture())).toBeLessThan(8)
    await time.during(client.close())
    await time.during(bridge.server.close())
  })
})
