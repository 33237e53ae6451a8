// Upload one file with tus-js-client and tell what happened, as one line of JSON.
// Usage: node upload.cjs ENDPOINT FILE FILENAME MEDIA_TYPE CHUNK_BYTES < TOKEN
"use strict"

const fs = require("node:fs")
const tus = require("tus-js-client")

const [endpoint, file, filename, filetype, chunkBytes] = process.argv.slice(2)
const token = fs.readFileSync(0, "utf8").trim()
const requests = []
let documentId = null

const upload = new tus.Upload(fs.createReadStream(file), {
  endpoint,
  chunkSize: Number(chunkBytes),
  uploadSize: fs.statSync(file).size,
  retryDelays: [0, 500, 1000, 2000, 3000, 3000],
  metadata: { filename, filetype },
  headers: { Authorization: `Bearer ${token}` },
  onBeforeRequest(request) {
    requests.push([request.getMethod(), request.getHeader("Upload-Offset") ?? null])
  },
  onAfterResponse(_request, response) {
    documentId = response.getHeader("Mayfly-Document-Id") ?? documentId
  },
  onSuccess: () => tell(null),
  onError: (error) => tell(String(error)),
})

function tell(error) {
  console.log(JSON.stringify({ requests, document_id: documentId, url: upload.url, error }))
}

upload.start()
