"""Which role each route asks for; what is not listed here is shut.

MONAI Label's own routes are all listed: those with a role are mounted as they are, those that our own routes replace
(same path, same answer, closed holes) and those that are shut never exist in our application. A new version of MONAI
Label that brings a new route changes nothing until somebody lists it.
"""

from enum import Enum
from typing import Final

from perfusynth.server.access.roles import Role


class Fate(Enum):
    """What becomes of an inherited route that is not mounted."""

    REPLACED = "replaced"
    SHUT = "shut"


#: Our own routes.
OWN: Final[dict[tuple[str, str], Role]] = {
    ("GET", "/health"): Role.PUBLIC,
    ("GET", "/openapi.json"): Role.USER,
    ("GET", "/info/"): Role.USER,
    ("GET", "/models/{task}/card"): Role.USER,
    ("POST", "/jobs/{task}"): Role.USER,
    ("GET", "/jobs/{job_id}"): Role.USER,
    ("GET", "/jobs/{job_id}/result"): Role.USER,
    ("DELETE", "/jobs/{job_id}"): Role.USER,
    ("POST", "/infer/{task}"): Role.USER,
    ("PUT", "/session/"): Role.USER,
    ("GET", "/session/{session_id}"): Role.USER,
    ("DELETE", "/session/{session_id}"): Role.USER,
    ("GET", "/datastore/"): Role.USER,
    ("HEAD", "/datastore/image"): Role.USER,
    ("PUT", "/datastore/"): Role.ANNOTATOR,
    ("PUT", "/datastore/image"): Role.ANNOTATOR,
    ("PUT", "/datastore/image/info"): Role.ANNOTATOR,
    ("PUT", "/datastore/label"): Role.ANNOTATOR,
    ("PUT", "/datastore/label/info"): Role.ANNOTATOR,
    ("POST", "/activelearning/{strategy}"): Role.ANNOTATOR,
    ("POST", "/registration/next"): Role.ANNOTATOR,
    ("GET", "/registration/worklist"): Role.ANNOTATOR,
    ("GET", "/registration/{case}"): Role.ANNOTATOR,
    ("POST", "/registration/{case}/lease"): Role.ANNOTATOR,
    ("DELETE", "/registration/{case}/lease"): Role.ANNOTATOR,
    ("GET", "/registration/{case}/transform"): Role.ANNOTATOR,
    ("GET", "/registration/{case}/history/{number}"): Role.ANNOTATOR,
    ("GET", "/registration/{case}/history/{number}/transform"): Role.ANNOTATOR,
    ("GET", "/train/"): Role.USER,
    ("POST", "/train/{task}"): Role.ADMIN,
    ("DELETE", "/train/"): Role.ADMIN,
    ("GET", "/logs/"): Role.ADMIN,
}

#: MONAI Label's routes.
INHERITED: Final[dict[tuple[str, str], Role | Fate]] = {
    # mounted: they only look up what the guard has checked
    ("GET", "/datastore/image"): Role.USER,
    ("GET", "/datastore/image/info"): Role.USER,
    ("HEAD", "/datastore/label"): Role.USER,
    ("GET", "/datastore/label"): Role.USER,
    ("GET", "/datastore/label/info"): Role.USER,
    ("DELETE", "/datastore/label"): Role.ADMIN,
    # replaced: they block the event loop, trust names, or tell server paths
    ("GET", "/info/"): Fate.REPLACED,
    ("POST", "/infer/{model}"): Fate.REPLACED,
    ("PUT", "/session/"): Fate.REPLACED,
    ("GET", "/session/{session_id}"): Fate.REPLACED,
    ("DELETE", "/session/{session_id}"): Fate.REPLACED,
    ("GET", "/datastore/"): Fate.REPLACED,
    ("HEAD", "/datastore/image"): Fate.REPLACED,
    ("PUT", "/datastore/"): Fate.REPLACED,
    ("PUT", "/datastore/image"): Fate.REPLACED,
    ("PUT", "/datastore/image/info"): Fate.REPLACED,
    ("PUT", "/datastore/label"): Fate.REPLACED,
    ("PUT", "/datastore/label/info"): Fate.REPLACED,
    ("POST", "/activelearning/{strategy}"): Fate.REPLACED,
    ("GET", "/logs/"): Fate.REPLACED,  # loads scripts from a CDN
    ("GET", "/openapi.json"): Fate.REPLACED,
    ("HEAD", "/openapi.json"): Fate.REPLACED,
    # shut: pages that load scripts from a CDN, and MONAI Label's own static files
    ("GET", "/"): Fate.SHUT,
    ("GET", "/docs"): Fate.SHUT,
    ("HEAD", "/docs"): Fate.SHUT,
    ("GET", "/favicon.ico"): Fate.SHUT,
    ("MOUNT", "/static"): Fate.SHUT,
    ("GET", "/ohif/{path:path}"): Fate.SHUT,
    # shut: change code or weights; models are installed at the command line
    ("POST", "/reload"): Fate.SHUT,
    ("GET", "/model/{model}"): Fate.SHUT,
    ("GET", "/model/info/{model}"): Fate.SHUT,
    ("PUT", "/model/{model}"): Fate.SHUT,
    ("DELETE", "/model/{model}"): Fate.SHUT,
    # shut: remove source images
    ("DELETE", "/datastore/"): Fate.SHUT,
    ("DELETE", "/datastore/image"): Fate.SHUT,
    # shut: deprecated twin of PUT /datastore/label/info, and every image in one blocking archive
    ("PUT", "/datastore/updatelabelinfo"): Fate.SHUT,
    ("GET", "/datastore/dataset"): Fate.SHUT,
    # shut: take device, paths and model out of the request; jobs do this work
    ("POST", "/infer/wsi/{model}"): Fate.SHUT,
    ("POST", "/infer/wsi_v2/{model}"): Fate.SHUT,
    ("GET", "/batch/infer"): Fate.SHUT,
    ("POST", "/batch/infer/{model}"): Fate.SHUT,
    ("DELETE", "/batch/infer"): Fate.SHUT,
    ("GET", "/train/"): Fate.REPLACED,
    ("POST", "/train/{model}"): Fate.REPLACED,  # free parameters into a training process
    ("DELETE", "/train/"): Fate.REPLACED,
    # shut: all models at once, with free parameters; the same into scoring processes
    ("POST", "/train/"): Fate.SHUT,
    ("GET", "/scoring/"): Fate.SHUT,
    ("POST", "/scoring/"): Fate.SHUT,
    ("POST", "/scoring/{method}"): Fate.SHUT,
    ("DELETE", "/scoring/"): Fate.SHUT,
    # shut: any path of the PACS with the server's credentials; a program as a child of the server
    ("GET", "/proxy/dicom/wado/{path:path}"): Fate.SHUT,
    ("POST", "/proxy/dicom/wado/{path:path}"): Fate.SHUT,
    ("GET", "/proxy/dicom/qido/{path:path}"): Fate.SHUT,
    ("POST", "/proxy/dicom/qido/{path:path}"): Fate.SHUT,
    ("GET", "/proxy/dicom/stow/{path:path}"): Fate.SHUT,
    ("POST", "/proxy/dicom/stow/{path:path}"): Fate.SHUT,
    ("GET", "/proxy/dicom/{path:path}"): Fate.SHUT,
    ("POST", "/proxy/dicom/{path:path}"): Fate.SHUT,
    ("GET", "/logs/gpu"): Fate.SHUT,
    # shut: authentication that accepts no valid token
    ("GET", "/auth/"): Fate.SHUT,
    ("POST", "/auth/token"): Fate.SHUT,
    ("GET", "/auth/token/valid"): Fate.SHUT,
}

#: All that exist in our application.
ROLES: Final[dict[tuple[str, str], Role]] = {
    **{key: role for key, role in INHERITED.items() if isinstance(role, Role)},
    **OWN,
}
