/** Makes an image that containerd imports, of one layer: an archive in OCI's image layout. */
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const MEDIA = "application/vnd.oci.image";

/** In `folder`, to be packed by tar. `layer`: a tar file. */
export function layOutImage(folder: string, layer: string, name: string, words: string[]): void {
  const blobs = join(folder, "blobs/sha256");
  mkdirSync(blobs, { recursive: true });
  const put = (mediaType: string, content: Buffer | object) => {
    const bytes = Buffer.isBuffer(content) ? content : Buffer.from(JSON.stringify(content));
    const hash = createHash("sha256").update(bytes).digest("hex");
    writeFileSync(join(blobs, hash), bytes);
    return { mediaType, digest: `sha256:${hash}`, size: bytes.length };
  };
  const packed = put(`${MEDIA}.layer.v1.tar`, readFileSync(layer));
  const config = put(`${MEDIA}.config.v1+json`, {
    architecture: process.arch === "x64" ? "amd64" : process.arch,
    os: "linux",
    config: { Env: ["PATH=/bin"], Entrypoint: words },
    rootfs: { type: "layers", diff_ids: [packed.digest] },
  });
  const mediaType = `${MEDIA}.manifest.v1+json`;
  const manifest = put(mediaType, { schemaVersion: 2, mediaType, config, layers: [packed] });
  const annotations = { "io.containerd.image.name": name };
  writeFileSync(
    join(folder, "index.json"),
    JSON.stringify({ schemaVersion: 2, manifests: [{ ...manifest, annotations }] }),
  );
  writeFileSync(join(folder, "oci-layout"), JSON.stringify({ imageLayoutVersion: "1.0.0" }));
}
