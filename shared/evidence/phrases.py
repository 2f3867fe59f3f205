"""What the services say when they refuse, and which rules each saying names.

This is the only place where wording counts. The list is ordered: the first phrase that matches speaks for the
text it matched, and the general sentences stand below the special ones that contain them. What ACR puts
around a service's words is not relied upon.

Sources: REST reference of Blob Storage (error codes, SAS error codes), Key Vault's error codes, ARM's common
deployment errors, the OCI distribution specification, field reports of each.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Service(StrEnum):
    """Which service the words come from."""

    KEY_VAULT = "Key Vault"
    STORAGE = "Storage"
    REGISTRY = "Registry"
    ARM = "ARM"
    IDENTITY = "Managed identity"


@dataclass(frozen=True, slots=True)
class Phrase:
    """One saying.

    ``rules`` are the causes that it can stand for. One rule: the saying decides. Several, or one that is only
    ``usual``: the live evidence decides, and ``usual`` is taken where the evidence says nothing either way.
    ``needles`` are plain words, one of which every match contains: looking for them first is what keeps reading fast.
    """

    pattern: re.Pattern[str]
    needles: tuple[str, ...]
    rules: tuple[str, ...]
    service: Service | None = None
    usual: str = ""
    # A code is believed wherever it stands; plain words are not when they are part of somebody's name for a thing.
    is_code: bool = False

    def find(self, text: str, lowered: str) -> re.Match[str] | None:
        """Where the saying stands in ``text``, of which ``lowered`` is the lower-case form."""
        # A plain loop: this is asked a hundred times for each message.
        for needle in self.needles:
            if needle in lowered:
                break
        else:
            if self.needles:
                return None
        return self.pattern.search(text)


def _phrase(
    pattern: str, *rules: str, service: Service | None = None, usual: str = "", needles: tuple[str, ...] = ()
) -> Phrase:
    # Blanks stand for any run of white space, because line breaks move about when texts are embedded.
    spaced = pattern.replace(" ?", r"\s{0,20}").replace(" ", r"\s{1,20}").replace("<gap>", _GAP)
    is_code = " " not in pattern.replace(" ?", "") or _A_CODE.search(pattern) is not None
    return Phrase(re.compile(spaced, re.IGNORECASE), needles or needles_of(pattern), rules, service, usual, is_code)


# Other words of the same sentence, names with dots in them included.
_GAP: Final = r"(?:[^.;]|[.;](?!\s)){0,120}?"
_A_CODE: Final = re.compile(r"\\b[A-Z]+[a-z_]\w*[A-Z]\w*\\b")
_NOT_THERE: Final = (
    r"(?:does(?: not|n['’]t) exist|no longer exists?|(?:(?:was|is|could|can) ?n[o'’]t |can['’]t |not )(?:be )?found)"
)
_CLASSES_AND_ESCAPES: Final = re.compile(r"\\[bBdDsSwW]|\[[^\]]*\]|<gap>")
_INNERMOST_GROUP: Final = re.compile(r"\([^()]*\)[?*]?")
_OPTIONAL: Final = re.compile(r"[^{}|][?*]|[^{}|]?\{\d+,\d+\}\??")


def needles_of(pattern: str) -> tuple[str, ...]:
    """The longest plain word of each top-level alternative of ``pattern``; none if one has no such word."""
    # Escaped brackets first, so that what remains are groups.
    plain = _CLASSES_AND_ESCAPES.sub("\0", pattern.replace(r"\(", "\0").replace(r"\)", "\0").replace("\\.", "\0"))
    while (shorter := _INNERMOST_GROUP.sub("\0", plain)) != plain:
        plain = shorter
    needles = []
    for alternative in _OPTIONAL.sub("\0", plain).lower().split("|"):
        word = max(re.findall(r"[a-z0-9]+", alternative), key=len, default="")
        if len(word) < 3:
            return ()
        needles.append(word)
    return tuple(needles)


# Of the tokens only Storage's: the caller's own access token ends too, and that is another fault.
_STORAGES_OWN: Final = r"(?:sas|shared access token|signature|(?<!access\s)(?<!bearer\s)(?<!refresh\s)token)\b"

_KV: Final = Service.KEY_VAULT
_ST: Final = Service.STORAGE
_RG: Final = Service.REGISTRY

THROTTLED: Final = ("ACRT117",)

# One saying for two services, the vault's rule first: whose host or words stand beside it decides.
NO_SUCH_NAME: Final = ("ACRT207", "ACRT407")
PERIMETER: Final = ("ACRT202", "ACRT405")

# Every vault refusal that carries no reason, and every storage refusal that carries none.
VAULT_REFUSALS: Final = ("ACRT201", "ACRT202", "ACRT203", "ACRT209")
STORAGE_REFUSALS: Final = (
    "ACRT301",
    "ACRT302",
    "ACRT304",
    "ACRT305",
    "ACRT306",
    "ACRT308",
    "ACRT309",
    "ACRT310",
    "ACRT311",
    "ACRT312",
    "ACRT351",
    "ACRT405",
)

# What a status without a reason can stand for, by the service that gave it: what is usual, and all that it may be.
# Pipelines with a token and those with an identity share the list; what does not fit is dropped later.
BARE_STATUSES: Final[Mapping[int, Mapping[Service, tuple[str, tuple[str, ...]]]]] = {
    401: {_KV: ("ACRT210", ("ACRT210",)), _ST: ("ACRT311", ("ACRT311", "ACRT301", "ACRT304"))},
    403: {_KV: ("ACRT201", VAULT_REFUSALS), _ST: ("", STORAGE_REFUSALS)},
    404: {
        _KV: ("ACRT204", ("ACRT204", "ACRT207")),
        _ST: ("", ("ACRT401", "ACRT402")),
        _RG: ("ACRT601", ("ACRT601",)),
        Service.ARM: ("ACRT113", ("ACRT113",)),
    },
    409: {_ST: ("", ("ACRT403", "ACRT406", "ACRT409", "ACRT702")), _RG: ("ACRT606", ("ACRT606",))},
    412: {_ST: ("ACRT409", ("ACRT409", "ACRT403"))},
}

PHRASES: Final = (
    # --- Key Vault: why a get was refused -------------------------------------------------------------------
    _phrase(r"\bSecretDisabled\b", "ACRT203", service=_KV),
    _phrase(r"not allowed on an? disabled secret", "ACRT203", service=_KV),
    _phrase(r"secret is (?:currently )?disabled", "ACRT203", service=_KV),
    _phrase(r"\bForbiddenByFirewall\b", "ACRT202", service=_KV),
    _phrase(r"\bForbiddenByConnection\b", "ACRT202", service=_KV),
    _phrase(r"Client address is not authorized and caller is not a trusted service", "ACRT202", service=_KV),
    _phrase(r"Public network access is disabled and request is not from a trusted service", "ACRT202", service=_KV),
    # A network security perimeter may be around either: the words beside it say whose refusal it is.
    _phrase(r"not allowed by NSP rules", *PERIMETER),
    _phrase(r"\bAKV10032\b", "ACRT210", service=_KV),
    _phrase(r"\bForbiddenByPolicy\b", "ACRT201", service=_KV),
    _phrase(r"\bForbiddenByRbac\b", "ACRT201", service=_KV),
    _phrase(r"does not have secrets? get permission", "ACRT201", service=_KV),
    _phrase(r"Microsoft\.KeyVault/vaults/secrets/getSecret/action", "ACRT201", service=_KV),
    _phrase(r"Caller is not authorized to perform action on resource", "ACRT201", service=_KV),
    _phrase(r"\bSecretNotFound\b", "ACRT204", service=_KV),
    _phrase(r"A secret with \(name/id\) \S{1,300} was not found", "ACRT204", service=_KV),
    _phrase(r"secret\b<gap> (?:was )?not found in (?:this )?key ?vault", "ACRT204", service=_KV),
    _phrase(r"\bVaultNotFound\b", "ACRT207", service=_KV),
    # --- Storage: SAS error codes, each names what the token lacks -------------------------------------------
    _phrase(r"\bAuthorizationSourceIPMismatch\b", "ACRT310", service=_ST),
    _phrase(r"not authorized to perform this operation using this source IP", "ACRT310", service=_ST),
    _phrase(r"\bAuthorizationServiceMismatch\b", "ACRT308", service=_ST),
    _phrase(r"not authorized to perform this operation using this service", "ACRT308", service=_ST),
    # An account SAS without the resource type, or a service SAS that is signed for one blob.
    _phrase(r"\bAuthorizationResourceTypeMismatch\b", "ACRT306", "ACRT309", service=_ST, usual="ACRT306"),
    _phrase(
        r"not authorized to perform this operation using this resource type",
        "ACRT306",
        "ACRT309",
        service=_ST,
        usual="ACRT306",
    ),
    _phrase(r"signed resource is not allowed for the this resource level", "ACRT309", service=_ST),
    _phrase(r"signed resource is not allowed for (?:the|this) resource level", "ACRT309", service=_ST),
    # The same code says that a token lacks a letter and that an identity lacks a role: the pipeline's mode decides.
    _phrase(r"\bAuthorizationPermissionMismatch\b", "ACRT305", "ACRT351", service=_ST, usual="ACRT305"),
    _phrase(
        r"not authorized to perform this operation using this permission",
        "ACRT305",
        "ACRT351",
        service=_ST,
        usual="ACRT305",
    ),
    _phrase(r"\bKeyBasedAuthenticationNotPermitted\b", "ACRT312", service=_ST),
    _phrase(r"Key ?based authentication is not permitted", "ACRT312", service=_ST),
    _phrase(r"\bAccountIsDisabled\b", "ACRT407", service=_ST),
    _phrase(r"specified account is disabled", "ACRT407", service=_ST),
    # --- Storage: the signature. The times behind it are read by the message reader and beat this ------------
    _phrase(r"Signature did not match", "ACRT304", "ACRT309", service=_ST, usual="ACRT304"),
    # The stored access policy that the token names is gone, and the token with it.
    _phrase(r"SAS identifier not found", "ACRT304", service=_ST),
    _phrase(r"signature (?:fields )?not well ?formed", "ACRT311", service=_ST),
    _phrase(r"\b(?:s[a-z]{1,2}|spr|sig) is mandatory", "ACRT311", service=_ST),
    _phrase(
        r"Access without signed identifier cannot have time window",
        "ACRT311",
        service=_ST,
    ),
    _phrase(r"signed expiry\b<gap> after (?:the )?signed start", "ACRT311", service=_ST),
    _phrase(
        r"(?:sas|shared access signature)(?: token)? (?:has |is )?(?:already )?expired",
        "ACRT301",
        service=_ST,
    ),
    _phrase(r"(?:sas|shared access signature)(?: token)? is not (?:yet|currently) valid", "ACRT302", service=_ST),
    # --- Storage: containers and blobs ----------------------------------------------------------------------
    _phrase(r"\bContainerNotFound\b", "ACRT401", service=_ST),
    _phrase(r"specified container does not exist", "ACRT401", service=_ST),
    _phrase(r"\bContainerBeingDeleted\b", "ACRT401", service=_ST),
    _phrase(r"specified container is being deleted", "ACRT401", service=_ST),
    _phrase(r"\bContainerDisabled\b", "ACRT401", service=_ST),
    _phrase(r"\bBlobArchived\b", "ACRT406", service=_ST),
    _phrase(r"operation is not permitted on an archived blob", "ACRT406", service=_ST),
    _phrase(r"\bBlobBeingRehydrated\b", "ACRT406", service=_ST),
    _phrase(r"\bBlobImmutableDueToPolicy\b", "ACRT409", service=_ST),
    _phrase(r"blob is immutable due to a policy", "ACRT409", service=_ST),
    _phrase(r"\bLeaseIdMissing\b|\bLeaseAlreadyPresent\b|\bBlobHasLegalHold\b", "ACRT409", service=_ST),
    _phrase(r"currently a lease on the blob", "ACRT409", service=_ST),
    _phrase(r"\bPendingCopyOperation\b", "ACRT702", service=_ST),
    _phrase(r"currently a pending copy operation", "ACRT702", service=_ST),
    _phrase(r"\bInvalidBlobType\b", "ACRT509", service=_ST),
    _phrase(r"\bBlobAlreadyExists\b", "ACRT403", service=_ST),
    _phrase(r"specified blob already exists", "ACRT403", service=_ST),
    _phrase(r"\bOverwriteBlobs\b<gap> (?:not|missing)\b", "ACRT403", service=_ST),
    _phrase(r"\bUnauthorizedBlobOverwrite\b", "ACRT403", service=_ST),
    _phrase(r"blob\b<gap> already exists", "ACRT403", service=_ST),
    _phrase(r"\bBlobNotFound\b", "ACRT402", service=_ST),
    _phrase(r"specified blob does not exist", "ACRT402", service=_ST),
    # --- The registry's own artifacts ------------------------------------------------------------------------
    _phrase(r"\bMANIFEST_UNKNOWN\b", "ACRT601", service=_RG),
    _phrase(r"\bNAME_UNKNOWN\b|\bTAG_UNKNOWN\b|\bMANIFEST_BLOB_UNKNOWN\b", "ACRT601", service=_RG),
    _phrase(r"manifest tagged by \S{1,200} is not found", "ACRT601", service=_RG),
    _phrase(r"manifest unknown|repository name not known", "ACRT601", service=_RG),
    _phrase(
        r"artifacts?\b<gap> (?:maximum|limit|more than|at most|exceeds?)\b<gap>\b50\b",
        "ACRT602",
        service=_RG,
    ),
    _phrase(
        r"(?:maximum|limit|more than|at most|exceeds?)\b<gap>\b50\b (?:\w{1,30} ){0,2}artifacts?",
        "ACRT602",
        service=_RG,
    ),
    _phrase(r"layer\b<gap> (?:exceeds?|larger than|too large|over)\b", "ACRT605", service=_RG),
    _phrase(r"\bTAG_ALREADY_EXISTS\b", "ACRT606", service=_RG),
    _phrase(r"\bOverwriteTags\b<gap> (?:not|missing)\b", "ACRT606", service=_RG),
    _phrase(r"\btag\b<gap> already exists", "ACRT606", service=_RG),
    # --- The pipeline, its registry, and who wrote the run ---------------------------------------------------
    _phrase(r"\bLinkedAuthorizationFailed\b", "ACRT112", service=Service.ARM),
    _phrase(r"on the linked scope", "ACRT112", service=Service.ARM),
    _phrase(r"\bAuthorizationFailed\b", "ACRT111", service=Service.ARM),
    _phrase(r"does not have authorization to perform action", "ACRT111", service=Service.ARM),
    _phrase(r"scope is invalid", "ACRT111", service=Service.ARM),
    _phrase(r"authorization to perform the transfer (?:was |is )?denied", "ACRT111", service=Service.ARM),
    _phrase(
        r"(?:export|import) ?pipeline\b<gap> (?:not found|does not exist|could not be found)",
        "ACRT113",
        service=Service.ARM,
    ),
    _phrase(
        r"/(?:export|import)Pipelines/\S{1,100} (?:under|was|is|could)\b<gap>not (?:be )?found",
        "ACRT113",
        service=Service.ARM,
    ),
    _phrase(
        r"export ?policy\b<gap> disabled|exports? (?:is|are|has been) disabled|\bExportPolicyDisabled\b",
        "ACRT116",
        service=_RG,
    ),
    _phrase(
        r"(?:only (?:supported|available|allowed)|requires?|not supported|not available)\b<gap> premium",
        "ACRT115",
        service=_RG,
    ),
    _phrase(r"\bSkuNotSupported\b|\bFeatureNotSupportedForSku\b", "ACRT115", service=_RG),
    _phrase(r"Access to \S{1,200}\.azurecr\.\S{1,40} (?:was |is )?denied", "ACRT118", service=_RG),
    _phrase(
        r"(?:access|requests?) to (?:the )?registry\b<gap> (?:was |is |were )?(?:denied|forbidden)",
        "ACRT118",
        service=_RG,
    ),
    _phrase(r"client with IP \S{1,80} is not allowed access", "ACRT118", service=_RG),
    _phrase(
        r"Microsoft\.Storage/storageAccounts/\S{1,100} (?:under|was|is|could)\b<gap>not (?:be )?found",
        "ACRT407",
        service=_ST,
    ),
    _phrase(
        r"managed (?:service )?identity\b<gap> "
        r"(?:not found|does not exist|could not be found|is missing|not assigned)",
        "ACRT209",
        service=Service.IDENTITY,
    ),
    _phrase(r"identity (?:has not been|is not|was not) assigned", "ACRT209", service=Service.IDENTITY),
    _phrase(
        r"no (?:managed )?(?:service )?identity (?:is |was |has been )?(?:assigned|found|configured)"
        r"|(?:pipeline|it) (?:has|had) no (?:managed )?(?:service )?identity",
        "ACRT209",
        service=Service.IDENTITY,
    ),
    # --- The same refusals in plain words, as somebody may write them around or instead of a code ---------------
    _phrase(r"secret\b<gap> (?:is|was|has been) (?:currently )?disabled", "ACRT203", service=_KV),
    _phrase(rf"secret\b<gap> {_NOT_THERE}", "ACRT204", service=_KV),
    _phrase(
        r"vault\b<gap> (?:firewall|network rules?|network access|private (?:link|endpoint))", "ACRT202", service=_KV
    ),
    _phrase(r"(?:firewall|network rules?)\b<gap> (?:key ?)?vault\b", "ACRT202", service=_KV),
    _phrase(rf"vault\b<gap> {_NOT_THERE}", "ACRT207", service=_KV),
    _phrase(r"(?:vault|secrets?)\b<gap> (?:different|another|wrong|other) tenant", "ACRT210", service=_KV),
    _phrase(r"(?:lacks?|missing|without|not have|no) <gap>\bget\b<gap>(?:vault|secrets?)\b", "ACRT201", service=_KV),
    _phrase(r"(?:vault|secrets?)\b<gap> (?:lacks?|missing|without|not have|no) <gap>\bget\b", "ACRT201", service=_KV),
    _phrase(rf"container\b(?! ?registr)<gap> {_NOT_THERE}", "ACRT401", service=_ST),
    _phrase(rf"\bblob\b<gap> {_NOT_THERE}", "ACRT402", service=_ST),
    _phrase(rf"storage account\b<gap> {_NOT_THERE}", "ACRT407", service=_ST),
    # Below the things that hold artifacts, of which the same sentence may speak.
    _phrase(rf"(?:manifest|repository|artifact|image|tag)\b<gap> {_NOT_THERE}", "ACRT601", service=_RG),
    _phrase(
        r"(?:storage|account)\b<gap> (?:firewall|network rules?|virtual network)",
        "ACRT405",
        service=_ST,
        needles=("firewall", "network"),
    ),
    _phrase(
        r"(?:firewall|network rules?|virtual network)\b<gap> (?:storage|account)\b",
        "ACRT405",
        service=_ST,
        needles=("firewall", "network"),
    ),
    _phrase(rf"{_STORAGES_OWN}<gap> (?:has |is |was |already ){{0,3}}expired", "ACRT301", service=_ST),
    _phrase(r"expired (?:sas|shared access signature)\b", "ACRT301", service=_ST),
    _phrase(rf"{_STORAGES_OWN}<gap> not (?:yet |currently )valid", "ACRT302", service=_ST),
    _phrase(r"(?:account|access) keys?\b<gap> (?:rotated|regenerated|rolled|renewed)\b", "ACRT304", service=_ST),
    _phrase(
        r"(?:lacks?|missing|without|not have|no) <gap>\bKey ?Vault (?:Secrets|Administrator|Reader)\b",
        "ACRT201",
        service=_KV,
    ),
    _phrase(
        r"(?:lacks?|missing|without|not have|no) <gap>\bStorage Blob Data (?:Owner|Contributor|Reader)\b",
        "ACRT351",
        service=_ST,
    ),
    _phrase(
        r"(?:sas|token|identity)\b<gap> (?:lacks?|missing|without|not have|not grant) <gap>"
        r"\b(?:list|read|write|add|delete|create)\b",
        "ACRT305",
        "ACRT351",
        service=_ST,
        usual="ACRT305",
        needles=("lack", "missing", "without", "not have", "not grant"),
    ),
    # --- A name that does not resolve: the host beside it says whose -------------------------------------------
    _phrase(
        r"No such host is known|Name or service not known|nodename nor servname|could ?n[o']t be resolved"
        r"|Name does not resolve|No address associated with hostname|\bENOTFOUND\b|\bNXDOMAIN\b",
        *NO_SUCH_NAME,
    ),
    # --- Refusals that carry no reason. The live evidence decides -----------------------------------------------
    # Network rules answer with this sentence and nothing behind it; so does Storage for reasons of its own.
    _phrase(r"\bAuthorizationFailure\b", "ACRT405", service=_ST, usual="ACRT405"),
    _phrase(r"not authorized to perform this operation\b", "ACRT405", service=_ST, usual="ACRT405"),
    _phrase(
        r"\bAuthenticationFailed\b|Server failed to authenticate the request",
        "ACRT301",
        "ACRT302",
        "ACRT304",
        "ACRT309",
        "ACRT311",
        service=_ST,
    ),
    _phrase(
        r"\bNoAuthenticationInformation\b|\bInvalidAuthenticationInfo\b"
        r"|refer to the information in the www-authenticate header",
        "ACRT311",
        "ACRT301",
        "ACRT304",
        service=_ST,
        usual="ACRT311",
    ),
    # A request without any token, so that the secret most likely holds none.
    _phrase(
        r"\bPublicAccessNotPermitted\b|Public access is not permitted on this storage account",
        "ACRT311",
        service=_ST,
        usual="ACRT311",
    ),
    _phrase(
        r"(?:sas|shared access signature)(?: token)?\b<gap> (?:is |was )(?:in|not )valid\b"
        r"|invalid (?:sas|shared access signature)\b",
        "ACRT301",
        "ACRT302",
        "ACRT304",
        "ACRT309",
        "ACRT311",
        service=_ST,
    ),
    _phrase(r"specified resource does not exist", "ACRT401", "ACRT402", service=_ST),
    # --- Throttling. Below everything, and never for certain: what is refused after a pause is the reason --------
    _phrase(
        r"\bTooManyRequests\b|\bServerBusy\b|\bOperationTimedOut\b"
        r"|\b(?:status|code|http|error)\W{0,4}(?:429|503)\b|\b(?:429|503) (?:Too|Service|Server)",
        "ACRT117",
        usual="ACRT117",
        needles=("requests", "busy", "timedout", "429", "503"),
    ),
    _phrase(
        r"too many requests|server is busy|service unavailable|rate limit(?:ed)?\b|request was throttled"
        r"|is being throttled|over the account limit",
        "ACRT117",
        usual="ACRT117",
    ),
)

# Words that tell whose refusal a bare "403 Forbidden" is. The vault stands first: a text about fetching "the
# storage SAS token from the key vault" is about the vault.
SERVICE_WORDS: Final = (
    (_KV, re.compile(r"key ?vault|\bvault\b|\bsecrets?\b(?! storage)|\.vault\.|getSecret", re.IGNORECASE)),
    (
        _ST,
        re.compile(r"\bstorage\b|\bblobs?\b|\bcontainer\b(?! ?registr)|\.blob\.|\bSAS\b|shared access", re.IGNORECASE),
    ),
    (
        _RG,
        re.compile(r"\.azurecr\.|\bregistry\b|\bmanifest\b|\brepositor(?:y|ies)\b|\bartifacts?\b", re.IGNORECASE),
    ),
)
