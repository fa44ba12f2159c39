# ruff: noqa: E501  (sidecars are as long as programs write them)
"""Sidecars as raw developers and managers of photos lay them out, written by hand for these tests.

The last one is of no program: a byte order mark, CRLF and two descriptions, which some write.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

LIGHTROOM = """<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="Adobe XMP Core 7.0-c000 1.000000, 0000/00/00-00:00:00        ">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:xmp="http://ns.adobe.com/xap/1.0/"
    xmlns:dc="http://purl.org/dc/elements/1.1/"
    xmlns:crs="http://ns.adobe.com/camera-raw-settings/1.0/"
   xmp:ModifyDate="2024-05-06T07:08:09+02:00"
   xmp:Rating="RATING"
   xmp:Label="Red"
   crs:Version="16.0"
   crs:Exposure2012="+0.35"
   crs:HasSettings="True">
   <dc:subject>
    <rdf:Bag>
     <rdf:li>sea</rdf:li>
     <rdf:li>Größe &amp; Licht</rdf:li>
    </rdf:Bag>
   </dc:subject>
   <crs:ToneCurvePV2012>
    <rdf:Seq>
     <rdf:li>0, 0</rdf:li>
     <rdf:li>255, 255</rdf:li>
    </rdf:Seq>
   </crs:ToneCurvePV2012>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
"""
DARKTABLE = """<?xml version="1.0" encoding="UTF-8"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="XMP Core 4.4.0-Exiv2">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:xmp="http://ns.adobe.com/xap/1.0/"
    xmlns:xmpMM="http://ns.adobe.com/xap/1.0/mm/"
    xmlns:darktable="http://darktable.sf.net/"
   xmp:Rating="RATING"
   xmpMM:DerivedFrom="IMG_1.CR2"
   darktable:xmp_version="5"
   darktable:raw_params="0"
   darktable:auto_presets_applied="1"
   darktable:history_end="2"
   darktable:iop_order_version="4">
   <darktable:masks_history>
    <rdf:Seq/>
   </darktable:masks_history>
   <darktable:history>
    <rdf:Seq>
     <rdf:li
      darktable:num="0"
      darktable:operation="rawprepare"
      darktable:enabled="1"
      darktable:modversion="1"
      darktable:params="00000000000000000000000000000000"
      darktable:multi_name=""
      darktable:multi_name_hand_edited="0"
      darktable:multi_priority="0"
      darktable:blendop_version="14"
      darktable:blendop_params="gz08eJxjYGBgYAZiCQYGBgAAdAAQ"/>
     <rdf:li
      darktable:num="1"
      darktable:operation="exposure"
      darktable:enabled="1"
      darktable:modversion="6"
      darktable:params="gz02eJxjYGBgkGAAgRNODAwMDA=="/>
    </rdf:Seq>
   </darktable:history>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
"""
DIGIKAM = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="XMP Core 4.4.0-Exiv2"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:MicrosoftPhoto="http://ns.microsoft.com/photo/1.0/" xmlns:digiKam="http://www.digikam.org/ns/1.0/" xmp:Rating='RATING' digiKam:PickLabel="3" digiKam:ColorLabel="0"><digiKam:TagsList><rdf:Seq><rdf:li>Places/Sea</rdf:li></rdf:Seq></digiKam:TagsList></rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end="w"?>"""
CAPTURE_ONE = """<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="XMP Core 5.5.0">
   <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
      <rdf:Description rdf:about=""
            xmlns:xmp="http://ns.adobe.com/xap/1.0/"
            xmlns:dc="http://purl.org/dc/elements/1.1/"
            xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/">
         <xmp:Rating>RATING</xmp:Rating>
         <xmp:Label>Green</xmp:Label>
         <dc:creator>
            <rdf:Seq>
               <rdf:li>Ana</rdf:li>
            </rdf:Seq>
         </dc:creator>
         <photoshop:Urgency>2</photoshop:Urgency>
      </rdf:Description>
   </rdf:RDF>
</x:xmpmeta>
"""
MARKED = """\ufeff<?xml version="1.0" encoding="UTF-8"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="XMP Core 5.5.0">
   <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
      <rdf:Description rdf:about=""
            xmlns:xmp="http://ns.adobe.com/xap/1.0/">
         <xmp:Rating>RATING</xmp:Rating>
         <xmp:Label>Green</xmp:Label>
      </rdf:Description>
      <rdf:Description rdf:about=""
            xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/">
         <photoshop:Urgency>2</photoshop:Urgency>
      </rdf:Description>
   </rdf:RDF>
</x:xmpmeta>
""".replace("\n", "\r\n")
PROGRAMS = {
    "lightroom": LIGHTROOM,
    "darktable": DARKTABLE,
    "digikam": DIGIKAM,
    "capture one": CAPTURE_ONE,
    "a mark and CRLF": MARKED,
}


@pytest.fixture(params=PROGRAMS)
def program(request) -> str:
    """The name of one of them."""
    return request.param


@pytest.fixture(scope="session")
def sidecar() -> Callable[..., bytes]:
    """``sidecar(program, star)``: what that program writes for a photo with so many stars."""
    return lambda name, star=0, encoding="utf-8": PROGRAMS[name].replace("RATING", str(star)).encode(encoding)


@pytest.fixture(scope="session")
def exiftool() -> Callable[..., dict[str, object]]:
    """``exiftool(path)``: all that it reads, by group and name; ``exiftool(path, "-Rating=4")`` writes."""
    if shutil.which("exiftool") is None:
        pytest.skip("needs exiftool: apt-get install libimage-exiftool-perl")

    def run(path: Path, *options: str) -> dict[str, object]:
        writes = any("=" in option for option in options)
        ways = ["-q", "-q", "-m", "-overwrite_original"] if writes else ["-json", "-G1", "-n"]
        done = subprocess.run(
            ["exiftool", *ways, *options, str(path)], capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        if writes:
            return {}
        own = ("ExifTool:", "System:", "File:", "SourceFile")
        return {key: value for key, value in json.loads(done.stdout)[0].items() if not key.startswith(own)}

    return run
