"""Makes a LeRobot v3.0 folder of videos out of our recordings of one form, as other tools would: pyarrow and PyAV alone.

    python video_folder.py RECORDING... --out OUT --scale 4 --per-file 50
    python video_folder.py RECORDING... --out OUT --small 48

Pixels are repeated `--scale` times; with `--small` frames are averaged to a square of so many pixels, and stored as PNG.
Needs pyarrow, av, pillow and numpy.
"""

import argparse
import io
import json
from pathlib import Path

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

FPS = 30
NUMBERS = {"observation.state": pa.list_(pa.float32()), "action": pa.list_(pa.float32()), "next.reward": pa.float32()}


def decode(cell) -> Image.Image:
    return Image.open(io.BytesIO(cell["bytes"])).convert("RGB")


class Video:
    def __init__(self, path: Path, height: int, width: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.container = av.open(str(path), "w")
        self.stream = self.container.add_stream("libx264", rate=FPS)
        self.stream.height, self.stream.width, self.stream.pix_fmt = height, width, "yuv420p"
        self.stream.options = {"g": "10", "crf": "23", "preset": "ultrafast"}

    def add(self, frame: np.ndarray) -> None:
        self.container.mux(self.stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))

    def close(self) -> None:
        self.container.mux(self.stream.encode())
        self.container.close()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("recordings", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--scale", type=int, default=4)
    parser.add_argument("--small", type=int)
    parser.add_argument("--per-file", type=int, default=50)
    args = parser.parse_args()

    source = json.loads((args.recordings[0] / "meta/info.json").read_text())
    cameras = [name for name, feature in source["features"].items() if feature["dtype"] == "image"]
    height, width, _ = source["features"][cameras[0]]["shape"]
    size = (args.small, args.small) if args.small else (height * args.scale, width * args.scale)
    episodes, groups = [], []
    for recording in args.recordings:
        listed = pq.read_table(recording / "meta/episodes").to_pylist()
        episodes += sorted(listed, key=lambda episode: episode["episode_index"])
        files = [pq.ParquetFile(path) for path in sorted((recording / "data").rglob("*.parquet"))]
        groups += [(file, i) for file in files for i in range(file.num_row_groups)]

    rows_out, entries, start = [], [], 0
    videos, video_frames = {}, 0
    for n, episode in enumerate(episodes):
        # Our writer puts each episode into a row group of its own.
        file, group = groups[n]
        rows = file.read_row_group(group).to_pylist()
        assert rows[0]["episode_index"] == episode["episode_index"]
        number = n // args.per_file
        if not args.small and n % args.per_file == 0:
            for video in videos.values():
                video.close()
            video_frames = 0
            videos = {
                camera: Video(args.out / f"videos/{camera}/chunk-000/file-{number:03d}.mp4", *size) for camera in cameras
            }
        columns = {}
        for camera in cameras:
            images = [decode(row[camera]) for row in rows]
            if args.small:
                cells = []
                for image in images:
                    png = io.BytesIO()
                    image.resize(size, Image.BOX).save(png, "PNG")
                    cells.append({"bytes": png.getvalue(), "path": "frame.png"})
                columns[camera] = pa.array(cells, pa.struct([("bytes", pa.binary()), ("path", pa.string())]))
            else:
                for image in images:
                    pixels = np.asarray(image).repeat(args.scale, 0).repeat(args.scale, 1)
                    videos[camera].add(np.ascontiguousarray(pixels))
        for name, kind in NUMBERS.items():
            columns[name] = pa.array([row[name] for row in rows], kind)
        count = len(rows)
        success = bool(episode["armature/success"])
        columns["next.success"] = pa.array([success and t >= count - 2 for t in range(count)])
        columns["next.done"] = pa.array([t >= count - 2 for t in range(count)])
        columns["timestamp"] = pa.array(np.arange(count) / FPS, pa.float32())
        columns["frame_index"] = pa.array(range(count), pa.int64())
        columns["episode_index"] = pa.array([n] * count, pa.int64())
        columns["index"] = pa.array(range(start, start + count), pa.int64())
        columns["task_index"] = pa.array([0] * count, pa.int64())
        rows_out.append(pa.table(columns))
        entry = {
            "episode_index": n,
            "tasks": ["push the puck"],
            "length": count,
            "dataset_from_index": start,
            "dataset_to_index": start + count,
            "data/chunk_index": 0,
            "data/file_index": 0,
        }
        for camera in [] if args.small else cameras:
            entry |= {
                f"videos/{camera}/chunk_index": 0,
                f"videos/{camera}/file_index": number,
                f"videos/{camera}/from_timestamp": video_frames / FPS,
                f"videos/{camera}/to_timestamp": (video_frames + count) / FPS,
            }
        video_frames += count
        entries.append(entry)
        start += count
    for video in videos.values():
        video.close()

    for name in ("data/chunk-000", "meta/episodes/chunk-000"):
        (args.out / name).mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.concat_tables(rows_out), args.out / "data/chunk-000/file-000.parquet")
    pq.write_table(pa.Table.from_pylist(entries), args.out / "meta/episodes/chunk-000/file-000.parquet")
    features = {name: feature for name, feature in source["features"].items() if name in rows_out[0].column_names}
    for camera in cameras:
        kind = "image" if args.small else "video"
        features[camera] = {"dtype": kind, "shape": [*size, 3], "names": ["height", "width", "channels"]}
    info = {
        "codebase_version": "v3.0",
        "robot_type": source["robot_type"],
        "total_episodes": len(entries),
        "total_frames": start,
        "fps": FPS,
        "chunks_size": 1000,
        "data_path": "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
        "video_path": "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4",
        "features": features,
    }
    (args.out / "meta/info.json").write_text(json.dumps(info, indent=1))
    (args.out / "meta/stats.json").write_text("{}")
    print(f"{args.out}: {len(entries)} episodes, {start} frames of {size[1]}x{size[0]}")


main()
