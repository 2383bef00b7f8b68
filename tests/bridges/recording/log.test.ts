import { appendFile, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Recorded } from '../../../bridges/recording/log-format.ts'
import { LogReader } from '../../../bridges/recording/log-reader.ts'
import { LogWriter } from '../../../bridges/recording/log-writer.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'recording-'))
})
afterEach(() => rm(folder, { recursive: true }))

const message = (i: number): Uint8Array => Uint8Array.from({ length: 3 + (i % 7) }, (_, k) => i + k)

async function record(path: string, count: number, options = {}): Promise<LogWriter> {
  const writer = await LogWriter.create(path, options)
  for (let i = 0; i < count; i++) writer.append(1000 * i + 2 ** 40, message(i))
  await writer.close()
  return writer
}

async function readAll(path: string): Promise<{ records: Recorded[]; problem: string | undefined }> {
  const reader = await LogReader.open(path)
  const records: Recorded[] = []
  for await (const recorded of reader) records.push(recorded)
  await reader.close()
  return { records, problem: reader.problem }
}

describe('a recording', () => {
  it('gives back the messages and their times', async () => {
    const path = join(folder, 'deep', 'a.rblog')
    await record(path, 100)
    const { records, problem } = await readAll(path)
    expect(problem).toBeUndefined()
    expect(records.map(({ arrivalUs }) => arrivalUs)).toEqual(Array.from({ length: 100 }, (_, i) => 1000 * i + 2 ** 40))
    for (const [i, { bytes }] of records.entries()) expect(new Uint8Array(bytes)).toEqual(message(i))
  })

  it('goes on in another file when one is large or old', async () => {
    const large = await record(join(folder, 'large.rblog'), 10, { maxFileBytes: 80 })
    expect(large.files.length).toBeGreaterThan(2)
    expect(large.files[1]).toBe(join(folder, 'large-1.rblog'))
    const all = await Promise.all(large.files.map(readAll))
    expect(all.flatMap(({ records }) => records.map(({ bytes }) => bytes[0]))).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    for (const file of large.files) expect((await readFile(file)).length).toBeLessThanOrEqual(80)
    const old = await record(join(folder, 'old.rblog'), 10, { maxFileUs: 4000 })
    expect(await Promise.all(old.files.map(async (file) => (await readAll(file)).records.length))).toEqual([4, 4, 2])
  })

  it('drops what the disk has no time for, and counts it', async () => {
    const writer = await LogWriter.create(join(folder, 'a.rblog'), { maxQueuedBytes: 30 })
    for (let i = 0; i < 10; i++) writer.append(i, new Uint8Array(10))
    expect([writer.records, writer.dropped]).toEqual([3, 7])
    await writer.close()
    expect((await readAll(join(folder, 'a.rblog'))).records).toHaveLength(3)
  })

  it('is readable up to where it was cut off', async () => {
    const path = join(folder, 'a.rblog')
    await record(path, 5)
    const { length } = await readFile(path)
    await truncate(path, length - 2)
    const cut = await readAll(path)
    expect(cut.records).toHaveLength(4)
    expect(cut.problem).toBe('cut off in the middle of a record, after 4')
    await appendFile(path, new Uint8Array(40).fill(255))
    const damaged = await LogReader.open(path)
    expect(damaged.problem).toMatch(/cut off|no record/)
    await damaged.close()
  })

  it('refuses to overwrite, what is no recording, and damaged records', async () => {
    const path = join(folder, 'a.rblog')
    await record(path, 3)
    await expect(LogWriter.create(path)).rejects.toThrow(/there is a file .*choose another name/)
    await expect(LogReader.open(join(folder, 'b.rblog'))).rejects.toThrow(/recording .*b\.rblog/)
    await writeFile(join(folder, 'text'), 'hello, world')
    await expect(LogReader.open(join(folder, 'text'))).rejects.toThrow(/not a recording/)
    const bytes = await readFile(path)
    bytes[bytes.length - 1]! ^= 1
    await writeFile(path, bytes)
    const reader = await LogReader.open(path)
    await reader.read(1)
    await expect(reader.read(2)).rejects.toThrow(/record 2 of .*wrong checksum/)
    await expect(reader.read(3)).rejects.toThrow(/expected below 3, got 3/)
    await reader.close()
  })
})
