"""Multipart uploads of small parts, and what a refusal says."""

import base64
import zlib

from support.raw import request

DATA = b"seven pixels"


def code(error) -> tuple[str, int]:
    response = error.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def refusal(answer) -> tuple[str, int]:
    return answer.code, answer.status


def crc32(data) -> str:
    return base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()


def begun(s3, bucket, key="k", parts=(DATA,), **options):
    """An upload whose parts are there: its id, and what it is to be completed with."""
    upload = s3.create_multipart_upload(Bucket=bucket, Key=key, **options)["UploadId"]
    listed = []
    for number, data in enumerate(parts, 1):
        algorithm = options.get("ChecksumAlgorithm")
        extra = {"ChecksumAlgorithm": algorithm} if algorithm else {}
        answer = s3.upload_part(Bucket=bucket, Key=key, UploadId=upload, PartNumber=number, Body=data, **extra)
        name = f"Checksum{algorithm}"
        listed.append({"PartNumber": number, "ETag": answer["ETag"], **({name: answer[name]} if algorithm else {})})
    return upload, {"Parts": listed}


def complete(endpoint, bucket, upload, parts, headers):
    """By a plain request: SDKs add what is to be left out."""
    document = "<CompleteMultipartUpload>" + "".join(
        "<Part>" + "".join(f"<{name}>{value}</{name}>" for name, value in part.items()) + "</Part>"
        for part in parts["Parts"]
    ) + "</CompleteMultipartUpload>"
    return request(endpoint, "POST", bucket, "k", f"uploadId={upload}", document.encode(), headers)
