import { readFileSync } from 'node:fs'
import { fc } from '../fast-check.ts'
import { describe, expect, it } from 'vitest'
import { crc32c, maskedCrc32c } from '../../src/log/crc32c.ts'
import { TensorBoardSink } from '../../src/log/tensorboard.ts'
import { readEventFile, slowCrc32c } from './event-file-reader.ts'
import { fakeClock, freshFolder } from './helpers.ts'

const folder = freshFolder()

describe('CRC-32C', () => {
  it('matches the published vectors (RFC 3720 B.4) and the check value', () => {
    expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283)
    expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa)
    expect(crc32c(new Uint8Array(32).fill(255))).toBe(0x62a8ab43)
    expect(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i))).toBe(0x46dd794e)
    expect(crc32c(new Uint8Array(0))).toBe(0)
  })

  it('matches the bitwise implementation of the test reader on any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(crc32c(bytes)).toBe(slowCrc32c(bytes))
      }),
      { seed: 1 },
    )
  })

  it('is masked as an unsigned number', () => {
    // crc32c('123456789') rotated right by 15 is 0x2507c60d; + 0xa282ead8
    expect(maskedCrc32c(Buffer.from('123456789'))).toBe(0xc78ab0e5)
  })
})

describe('TensorBoard event file', () => {
  it('reads back in an independent reader: version, scalars, steps, times, images', () => {
    const clock = fakeClock(1_700_000_000.25)
    const sink = new TensorBoardSink(folder.file('events'), clock)
    const png = Uint8Array.from({ length: 300 }, (_, i) => i)
    sink.scalars(0, { 'rollout/ep_rew_mean': -12.5, 'train/critic_loss': 0.1 })
    clock.advance(2)
    sink.scalars(2 ** 40 + 1, { 'time/fps': NaN, 'eval/höhe': Infinity })
    sink.image(300, 'eval/goal', { png, width: 200, height: 16 })
    sink.scalars(301, {})
    sink.close()

    const events = readEventFile(readFileSync(folder.file('events')))
    expect(events.map(({ step }) => step)).toEqual([0, 0, 2 ** 40 + 1, 300])
    expect(events[0]).toMatchObject({ fileVersion: 'brain.Event:2', wallTime: 1_700_000_000.25 })
    expect(events[1]!.scalars).toEqual({ 'rollout/ep_rew_mean': -12.5, 'train/critic_loss': Math.fround(0.1) })
    expect(events[2]).toMatchObject({ wallTime: 1_700_000_002.25, scalars: { 'time/fps': NaN, 'eval/höhe': Infinity } })
    const image = events[3]!.images['eval/goal']!
    expect(image).toMatchObject({ width: 200, height: 16, colorspace: 3 })
    expect([...image.png]).toEqual([...png])
  })

  it('goes on after a cut without a second version record', () => {
    const path = folder.file('events')
    const first = new TensorBoardSink(path, fakeClock())
    first.scalars(1, { a: 1 })
    const { bytes } = first.sync()
    first.scalars(2, { a: 2 })
    first.close()
    const second = new TensorBoardSink(path, fakeClock(), bytes)
    second.scalars(2, { a: 3 })
    second.close()
    const events = readEventFile(readFileSync(path))
    expect(events.map(({ step, scalars, fileVersion }) => [step, scalars['a'], fileVersion])).toEqual([
      [0, undefined, 'brain.Event:2'],
      [1, 1, undefined],
      [2, 3, undefined],
    ])
  })

  it('is refused by that reader when one bit is wrong', () => {
    const sink = new TensorBoardSink(folder.file('events'), fakeClock())
    sink.scalars(1, { a: 1 })
    sink.close()
    const bytes = readFileSync(folder.file('events'))
    bytes[bytes.length - 10]! ^= 1
    expect(() => readEventFile(bytes)).toThrow('CRC mismatch')
  })
})
