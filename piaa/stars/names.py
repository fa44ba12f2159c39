"""Names of properties in XMP that say what somebody thinks of a photo, ours included."""

from __future__ import annotations

XMP = "http://ns.adobe.com/xap/1.0/"
RATING, LABEL = (XMP, "Rating"), (XMP, "Label")
SUBJECT = ("http://purl.org/dc/elements/1.1/", "subject")
PERCENTS = (("http://ns.microsoft.com/photo/1.0/", "Rating"), ("http://ns.microsoft.com/photo/1.0", "Rating"))
"""As Windows writes it, and as exiftool does."""
PICK_LABEL = ("http://www.digikam.org/ns/1.0/", "PickLabel")
TAGGED = ("http://ns.camerabits.com/photomechanic/1.0/", "Tagged")
PICK = ("http://ns.adobe.com/xmp/1.0/DynamicMedia/", "pick")

PIAA = "urn:x-piaa:1.0/"
"""Our own namespace; programs keep what they do not know, so what is in it survives them."""
STAR = (PIAA, "Star")
"""The stars that piaa wrote as xmp:Rating, the newest first: while that is one of them, it is not hers.

Earlier ones count too, since another program may have taken them over before they were replaced."""
OUR_LABEL = (PIAA, "Label")
"""The label that piaa wrote as xmp:Label."""
OUR_KEYWORD = (PIAA, "Keyword")
"""The keyword that piaa added to dc:subject."""
