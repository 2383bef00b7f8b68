import { ArmatureError } from '../../core/errors.ts'
import { openRegularFile } from '../contained-files.ts'
import type { VideoStretch } from './frame-sink.ts'
import { FrameSink } from './frame-sink.ts'
import { loadCodecs, readWithCodecs } from './video-codecs.ts'
import { readWithProgram } from './video-program.ts'

/**
 * Decodes a stretch into `out`, uint8 [times, height, width, 3], with the package `@napi-rs/webcodecs` or the program `ffmpeg`, whichever
 * is there. Frames are found by their time: both decoders give the same.
 *
 * @throws ArmatureError `engine-unavailable` where neither is; `corrupt-file` for what is no MP4 file, when a time has no frame, or
 *   frames are of another size.
 */
export async function readVideo(stretch: VideoStretch, out: Uint8Array): Promise<void> {
  const { file, what, timesS } = stretch
  if (timesS.length === 0) return
  await requireMp4(file)
  const sink = new FrameSink(stretch, out)
  const codecs = await loadCodecs()
  try {
    await (codecs === undefined ? readWithProgram(file, sink) : readWithCodecs(codecs, file, sink))
    sink.requireAll()
  } catch (error) {
    if (error instanceof ArmatureError) throw error
    const got = (error as Error).message
    throw new ArmatureError('corrupt-file', `${file}, ${what}`, { got, cause: error })
  }
}

/** Text that names other files, as a playlist does, is read by decoders too: only MP4 files may come to them. */
async function requireMp4(path: string): Promise<void> {
  const { file } = await openRegularFile(path)
  try {
    const head = Buffer.alloc(8)
    await file.read(head, 0, 8, 0)
    if (['ftyp', 'moov', 'wide', 'mdat', 'free', 'skip'].includes(head.toString('latin1', 4))) return
  } finally {
    await file.close()
  }
  throw new ArmatureError('corrupt-file', path, { expected: 'an MP4 file', got: 'a file that does not start as one' })
}
