import { LeRobotWriter } from '../../src/io/lerobot/writer.ts'
import { randomEpisode, SPEC } from './lerobot-helpers.ts'

/** Run as a program by the tests: records episodes into the folder of its argument until it is killed, and says each that is done. */
const writer = await LeRobotWriter.create(process.argv[2]!, SPEC)
for (let i = 0; ; i++) {
  await writer.addEpisode(randomEpisode(i, 9))
  process.stdout.write(`${i}\n`)
}
