# SPDX-License-Identifier: Apache-2.0
"""What does the fake Glance do? Images with data, tags and members; a deleted id never comes back."""

import hashlib
import itertools
import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime

from tricircle.testing.exchange import UNROUTED, Asked, Json, Refusal, Route, Said, new_id, plain, route, webob_error
from tricircle.testing.lists import Manner, matching, next_href, page

_NAMES = {401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 409: "Conflict", 400: "Bad Request"}


#: Properties that the fake can be asked for; the real one takes any.
_PROPERTIES = ("instance_uuid", "image_type", "backup_type")


class Glance:
    """The fake image service of one pod."""

    name = "image"
    public = re.compile(r"/?|/versions/?")

    def __init__(self) -> None:
        self.images: dict[str, Json] = {}
        self.data: dict[str, bytes] = {}
        self._gone: set[str] = set()
        self._numbers = itertools.count(1)

    def routes(self) -> Sequence[Route]:
        """Glance's paths."""
        return [
            route("GET", "/", self._versions),
            route("GET", "/versions", self._versions),
            route("GET", "/v2/images", self._list),
            route("POST", "/v2/images", self._create),
            route("GET", "/v2/images/{image_id}", self._show),
            route("DELETE", "/v2/images/{image_id}", self._delete),
            route("PATCH", "/v2/images/{image_id}", self._patch),
            route("POST", "/v2/images/{image_id}/actions/{action}", self._act),
            route("GET", "/v2/images/{image_id}/members", self._members),
            route("POST", "/v2/images/{image_id}/members", self._add_member),
            route("DELETE", "/v2/images/{image_id}/members/{member_id}", self._remove_member),
            route("PUT", "/v2/images/{image_id}/file", self._upload),
            route("GET", "/v2/images/{image_id}/file", self._download),
        ]

    def understand(self, asked: Asked) -> str:
        """Glance has no microversions."""
        return asked.path

    def refuse(self, asked: Asked, refusal: Refusal) -> Said:
        """A page, or JSON of webob's own for who wants JSON."""
        status = 404 if refusal.kind == UNROUTED else refusal.status
        said = webob_error(asked, status, _NAMES.get(status, "Error"), refusal.message)
        said.headers |= refusal.headers
        return said

    def finish(self, asked: Asked, said: Said) -> Said:
        """Glance takes the caller's request id for its own."""
        if (mine := asked.headers.get("x-openstack-request-id")) is not None:
            said.headers["X-OpenStack-Request-ID"] = mine
        return said

    def has(self, reference: str) -> bool:
        """Whether a server or volume can be made from an image of this id; volumes may also be made by its name."""
        named = [one for one in self.images.values() if reference in (one["id"], one["name"])]
        return any(one["status"] == "active" for one in named)

    def active(self) -> list[str]:
        """Ids of images that are ready."""
        return [image_id for image_id in self.images if self.has(image_id)]

    def add(self, name: str, data: bytes, project_id: str) -> str:
        """A public image that is ready; returns its id."""
        facts = {"name": name, "disk_format": "raw", "container_format": "bare", "visibility": "public"}
        return self.put(facts, data, project_id)

    def put(self, image: Json, data: bytes, project_id: str) -> str:
        """An image of a project, with its data; returns its id."""
        made = self._new(image, project_id)
        self._fill(made, data)
        return str(made["id"])

    def _versions(self, asked: Asked) -> Said:
        links = [{"rel": "self", "href": f"{asked.root}/v2/"}]
        versions = [{"id": "v2.17", "status": "CURRENT", "links": links}]
        return Said(status=300 if asked.path == "/" else 200, body={"versions": versions})

    def _list(self, asked: Asked) -> Said:
        caller = asked.caller
        mine = [one for one in self.images.values()
                if one["visibility"] == "public" or one["owner"] == caller.project_id or caller.is_admin]  # fmt: skip
        mine = [one for one in mine if _is_asked(one, asked)]
        keys = {"created_at": "created_at", "name": "name"}
        refuse = lambda marker: Refusal(400, f"Invalid marker. Image {marker} could not be found.")  # noqa: E731
        found = matching(mine, asked, ("name", "owner", "status"))
        taken, more = page(found, asked, Manner(sort_keys=keys, marker_refusal=refuse, max_limit=25))
        body: Json = {"images": [plain(one) for one in taken], "schema": "/v2/schemas/images", "first": "/v2/images"}
        query = "&".join(f"{name}={value}" for name, value in asked.query if name != "marker")
        body["first"] += f"?{query}" if query else ""
        if more:
            body["next"] = next_href(asked, "/v2/images", taken[-1]["id"]).removeprefix(asked.root)
        return Said(body=body)

    def _create(self, asked: Asked) -> Said:
        given, caller = asked.json(), asked.caller
        if not caller.is_admin and given.get("visibility") == "public":
            raise Refusal(403, "You are not authorized to complete publicize_image action.")
        if not caller.is_admin and given.get("owner", caller.project_id) != caller.project_id:
            raise Refusal(403, "You are not permitted to create images owned by another tenant.")
        image_id = given.get("id")
        if image_id in self.images or image_id in self._gone:
            raise Refusal(409, f"Image ID {image_id} already exists!")
        made = self._new(given, given.get("owner", caller.project_id))
        return Said(status=201, body=plain(made), headers={"Location": f"{asked.root}{made['self']}"})

    def _new(self, given: Json, project_id: str) -> Json:
        image_id = str(given.get("id") or new_id())
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        made = {
            "visibility": "shared", "owner": project_id, "tags": [], "min_disk": 0, "min_ram": 0, "protected": False,
            "os_hidden": False, **given, "id": image_id, "status": "queued", "size": None, "checksum": None,
            "created_at": now, "updated_at": now, "self": f"/v2/images/{image_id}",
            "file": f"/v2/images/{image_id}/file", "schema": "/v2/schemas/image", "_number": next(self._numbers),
        }  # fmt: skip
        self.images[image_id] = made
        return made

    def _fill(self, image: Json, data: bytes) -> None:
        self.data[image["id"]] = data
        digest = hashlib.md5(data, usedforsecurity=False).hexdigest()
        image |= {"status": "active", "size": len(data), "checksum": digest}
        image |= {"os_hash_algo": "sha512", "os_hash_value": hashlib.sha512(data).hexdigest()}

    def _get(self, asked: Asked, image_id: str) -> Json:
        image = self.images.get(image_id)
        if image is None or not (self._is_for(image, asked) or asked.sees(image["owner"])):
            raise Refusal(404, f"No image found with ID {image_id}")
        return image

    @staticmethod
    def _is_for(image: Json, asked: Asked) -> bool:
        is_shared = image["visibility"] == "shared" and asked.caller.project_id in image.get("_members", ())
        return image["visibility"] in ("public", "community") or is_shared

    def _show(self, asked: Asked, image_id: str) -> Said:
        return Said(body=plain(self._get(asked, image_id)))

    def _delete(self, asked: Asked, image_id: str) -> Said:
        self._get(asked, image_id)
        del self.images[image_id]
        self._gone.add(image_id)
        return Said(status=204)

    def _patch(self, asked: Asked, image_id: str) -> Said:
        if not asked.headers.get("content-type", "").startswith("application/openstack-images-v2.1-json-patch"):
            raise Refusal(415, "The server does not support media of this type.")
        image, now = self._get(asked, image_id), datetime.now(UTC)
        for change in json.loads(asked.body):
            name = change["path"].removeprefix("/").replace("~1", "/").replace("~0", "~")
            if change["op"] == "remove":
                if name not in image:
                    raise Refusal(409, f"Property {name} does not exist.")
                del image[name]
            else:
                image[name] = change["value"]
        image["updated_at"] = now.strftime("%Y-%m-%dT%H:%M:%SZ")
        return Said(body=plain(image))

    def _act(self, asked: Asked, image_id: str, action: str) -> Said:
        image = self._get(asked, image_id)
        if not asked.sees(image["owner"]):
            raise Refusal(403, f"You are not authorized to complete {action} action.")
        if image["status"] not in ("active", "deactivated"):
            raise Refusal(403, f"Not allowed to {action} image in status '{image['status']}'")
        image["status"] = {"deactivate": "deactivated", "reactivate": "active"}[action]
        return Said(status=204)

    def _members(self, asked: Asked, image_id: str) -> Said:
        image = self._get(asked, image_id)
        found = [{"member_id": one, "image_id": image_id, "status": "pending"} for one in image.get("_members", ())]
        return Said(body={"members": found, "schema": "/v2/schemas/members"})

    def _add_member(self, asked: Asked, image_id: str) -> Said:
        image, member = self._get(asked, image_id), str(asked.json()["member"])
        if image["visibility"] != "shared":
            raise Refusal(403, "Only shared images have members.")
        if member in image.setdefault("_members", []):
            raise Refusal(409, f"Image member {member} already exists for image {image_id}")
        image["_members"].append(member)
        return Said(body={"member_id": member, "image_id": image_id, "status": "pending"})

    def _remove_member(self, asked: Asked, image_id: str, member_id: str) -> Said:
        image = self._get(asked, image_id)
        if member_id not in image.get("_members", ()):
            raise Refusal(404, f"{member_id} not found in the member list of the image {image_id}.")
        image["_members"].remove(member_id)
        return Said(status=204)

    def _upload(self, asked: Asked, image_id: str) -> Said:
        image = self._get(asked, image_id)
        if image["status"] != "queued":
            raise Refusal(409, f"Image status transition from {image['status']} to saving is not allowed")
        self._fill(image, asked.body)
        return Said(status=204)

    def _download(self, asked: Asked, image_id: str) -> Said:
        image = self._get(asked, image_id)
        if image["status"] == "deactivated" and not asked.caller.is_admin:
            raise Refusal(403, "The requested image has been deactivated. Image data download is forbidden.")
        return Said(body=self.data.get(image_id, b""), headers={"Content-Type": "application/octet-stream"})


def _is_asked(image: Json, asked: Asked) -> bool:
    """Whether the query's filters that are more than equality take an image: tags, ids, visibility, properties."""
    for name, value in asked.query:
        if name == "tag" and value not in image["tags"]:
            return False
        if name == "id" and image["id"] not in value.removeprefix("in:").split(","):
            return False
        if name == "visibility" and value not in ("all", image["visibility"]):
            return False
        if name == "os_hidden" and (value == "true") != bool(image.get("os_hidden")):
            return False
        if name in _PROPERTIES and image.get(name) != value:
            return False
    return True
