"""A store in memory that can be made to break its promises one at a time, to see that the judge of histories notices.
"""

import hashlib
import io

from botocore.exceptions import ClientError, ReadTimeoutError


def refusal(status: int, code: str) -> ClientError:
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "fake")


class FakeStore:
    """What an S3 client's methods do, without a network. `breaks` says which promise is broken now and then."""

    def __init__(self, random, breaks: str | None = None):
        self.random, self.breaks = random, breaks
        self.objects: dict[str, dict] = {}
        # As it was some changes ago.
        self.past: list[dict[str, dict]] = []
        # Writes that nobody was told about and that are still to happen.
        self.late: list = []

    def breaks_now(self, what: str, chance: float = 0.2) -> bool:
        return self.breaks == what and self.random.random() < chance

    def view(self) -> dict[str, dict]:
        """What a read looks at: now or, when broken, a while ago."""
        if self.late and self.random.random() < 0.3:
            self.late.pop(0)()
        return self.past[-3] if len(self.past) > 3 and self.breaks_now("reads") else self.objects

    def found(self, key: str) -> dict:
        if key not in (objects := self.view()):
            raise refusal(404, "NoSuchKey")
        return dict(objects[key])

    def get_object(self, Bucket, Key):
        answer = self.found(Key)
        body = answer["Body"]
        if self.breaks_now("bytes"):
            body = body[:-1] + bytes([body[-1] ^ 1])
        return {**answer, "Body": io.BytesIO(body)}

    def head_object(self, Bucket, Key):
        return self.found(Key)

    def list_objects_v2(self, Bucket, Prefix, MaxKeys, ContinuationToken=""):
        objects = self.view()
        keys = sorted(key for key in objects if key.startswith(Prefix) and key > ContinuationToken)
        if keys and self.breaks_now("lists"):
            keys.remove(self.random.choice(keys))
        page = keys[:MaxKeys]
        items = [{"Key": key, "ETag": objects[key]["ETag"], "Size": objects[key]["ContentLength"]} for key in page]
        is_cut = len(keys) > MaxKeys
        return {"Contents": items, "IsTruncated": is_cut, "NextContinuationToken": page[-1] if is_cut else ""}

    def put_object(self, Bucket, Key, Body, Metadata, IfMatch=None, IfNoneMatch=None):
        tag = f'"{hashlib.md5(Body).hexdigest()}"'
        self.check(Key, IfMatch, IfNoneMatch)
        new = {"Body": Body, "Metadata": Metadata, "ETag": tag, "ContentLength": len(Body)}
        return self.change(Key, new, IfMatch, IfNoneMatch)

    def delete_object(self, Bucket, Key, IfMatch=None):
        self.check(Key, IfMatch, None)
        return self.change(Key, None, IfMatch, None)

    def check(self, key: str, if_match: str | None, if_none_match: str | None):
        current = self.objects.get(key)
        if self.breaks_now("conditions"):
            return
        if if_match and not current:
            raise refusal(404, "NoSuchKey")
        if (if_match and current["ETag"] != if_match) or (if_none_match and current):
            raise refusal(412, "PreconditionFailed")

    def change(self, key: str, new: dict | None, if_match: str | None, if_none_match: str | None):
        def happen():
            self.past.append(dict(self.objects))
            if new:
                self.objects[key] = new
            else:
                self.objects.pop(key, None)

        def happen_later():
            try:
                self.check(key, if_match, if_none_match)
            except ClientError:
                return
            happen()

        if self.random.random() < 0.05:
            # Nobody will know: it has happened, it will happen, or it never does.
            self.random.choice([happen, lambda: self.late.append(happen_later), lambda: None])()
            raise ReadTimeoutError(endpoint_url="fake")
        before = self.objects.get(key)
        is_lost = new and not before and self.breaks_now("writes", 0.5)
        if not is_lost:
            happen()
        if not new and before and self.breaks_now("deletes", 0.5):
            self.late.append(lambda: self.objects.setdefault(key, before))
        if self.breaks_now("retries"):
            # It happens once more, as if a gateway had sent it again.
            self.late.append(happen)
        return {"ETag": new["ETag"]} if new else {}
