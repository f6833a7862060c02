"""Amazon's own examples of the canonical form: the official Java SDK's signature tests (Apache-2.0), as a table."""

from typing import Final

Query = list[tuple[str, str]]

UNRESERVED: Final = "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
HASH_OF_NOTHING: Final = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
HEADERS: Final = {
    "accept": "application/json",
    "content-type": "application/json",
    "x-amz-pay-date": "20180524T223710Z",
    "x-amz-pay-host": "pay-api.amazon.eu",
    "x-amz-pay-region": "EU",
}
TAIL: Final = (
    "accept:application/json\ncontent-type:application/json\nx-amz-pay-date:20180524T223710Z\n"
    "x-amz-pay-host:pay-api.amazon.eu\nx-amz-pay-region:EU\n\n"
    f"accept;content-type;x-amz-pay-date;x-amz-pay-host;x-amz-pay-region\n{HASH_OF_NOTHING}"
)
# Method, path and query; then the canonical path and query, and the hash of the whole canonical request.
VECTORS: Final[list[tuple[str, str, Query, str, str, str]]] = [
    ("GET", "/", [], "/", "", "bb49552975c396f1e49d5510e1555b8b0627dc491bc61aaefdb561f202ad8020"),
    ("GET", "", [], "/", "", "bb49552975c396f1e49d5510e1555b8b0627dc491bc61aaefdb561f202ad8020"),
    ("GET", UNRESERVED, [], UNRESERVED, "", "a0e5dd63e175587f29d51c6b08be5c746a568209ac66ab1f967e0ba515aa80bc"),
    ("GET", "/", [("\u1234", "bar")], "/", "%E1%88%B4=bar",
     "ef1007307504f2ca9f0b6310b04056f5d3d6d18e7bf3d90663133f19ec132ecc"),
    ("POST", "/", [], "/", "", "54156f5badd6da7fa630b2c334c808ad376530001d334ae9960457215aa626d3"),
    ("POST", "/", [("foo", "bar")], "/", "foo=bar",
     "cc82525870b2d03666c287fd8b2c0d2fc6fa1693d9f357d27f7cac8cbcc12832"),
    ("GET", "/", [("foo", "b"), ("foo", "a")], "/", "foo=a&foo=b",
     "a33266ec31c7f0ca8a0738eb49fb8c81319f14374a0b86d52e6911a9748a6d42"),
    ("GET", "/", [("A.1", "foo"), ("A.2", "foo"), ("A.10", "foo")], "/", "A.1=foo&A.10=foo&A.2=foo",
     "29d908d70c4bb50d62272976787245b52ed52e569fdae56ef3aa6d8979978ee7"),
    ("GET", "/", [("foo", "Zoo"), ("foo", "aha")], "/", "foo=Zoo&foo=aha",
     "f379cbd2e2fc9d5d50667a07ec22996335f731b474bb8bd366647d05d958c9d5"),
    ("POST", "/", [("f oo", "b ar")], "/", "f%20oo=b%20ar",
     "99be3aeb19b5a1aebafc807d59f3740d3e604ae31cf928592fa70739ea64bb32"),
]  # fmt: skip
