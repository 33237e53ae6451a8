"""Requests that no well-behaved client sends."""

import socket
from urllib.parse import urlsplit

BOUNDARY = "boundary-of-the-test"


def slow_upload(url: str, token: str, content: bytes) -> socket.socket:
    """Send the first part of an upload that announces more than it sends, and return the connection, still open."""
    address = urlsplit(url)
    part = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="slow.txt"\r\n\r\n'.encode() + content
    )
    head = (
        f"POST /v1/sessions/current/documents HTTP/1.1\r\nHost: {address.netloc}\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\nContent-Length: {len(part) + 1000}\r\n\r\n"
    )
    connection = socket.create_connection((address.hostname or "", address.port or 80), timeout=60)
    connection.sendall(head.encode() + part)
    return connection
