/** Loaded before `armature collect` and `record` by recording-kills.ts: notes on descriptor 3 what is on the disk, when it is. */
import { statSync, writeSync } from 'node:fs'
import { setImmediate } from 'node:timers/promises'
import { MAGIC, RECORD_HEADER_BYTES } from '../bridges/recording/log-format.ts'
import { LogWriter } from '../bridges/recording/log-writer.ts'
import type { EpisodeData } from '../src/core/dataset.ts'
import { LeRobotWriter } from '../src/io/lerobot/writer.ts'

const NOTES = 3

const addEpisode = Reflect.get(LeRobotWriter.prototype, 'addEpisode') as (episode: EpisodeData) => Promise<void>
LeRobotWriter.prototype.addEpisode = async function (this: LeRobotWriter, episode) {
  await addEpisode.call(this, episode)
  writeSync(NOTES, `${this.episodes}\n`)
}

const append = Reflect.get(LogWriter.prototype, 'append') as (arrivalUs: number, message: Uint8Array) => void
let bytes = MAGIC.length
LogWriter.prototype.append = function (this: LogWriter, arrivalUs, message) {
  append.call(this, arrivalUs, message)
  bytes += RECORD_HEADER_BYTES + message.length
  void noteWhenWritten(this.files[0]!, bytes, this.records)
}

async function noteWhenWritten(file: string, size: number, records: number): Promise<void> {
  while (statSync(file).size < size) await setImmediate()
  writeSync(NOTES, `${records}\n`)
}
