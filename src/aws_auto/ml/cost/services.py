"""FOCUS service categories of AWS product codes (as a CUR writes them). A code that is not here has none: unknown."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_BY_CATEGORY: Mapping[str, str] = {
    "AI and Machine Learning": "AmazonBedrock AmazonSageMaker AmazonRekognition AmazonTextract comprehend",
    "Analytics": "AWSGlue AmazonAthena AmazonKinesis AmazonKinesisFirehose AmazonQuickSight AmazonES AmazonMSK"
    " ElasticMapReduce AmazonRedshift AWSLakeFormation",
    "Compute": "AmazonEC2 AWSLambda AmazonECS AmazonEKS AmazonECR AWSBatch AmazonLightsail AWSAppRunner",
    "Databases": "AmazonRDS AmazonDynamoDB AmazonElastiCache AmazonDocDB AmazonNeptune AmazonMemoryDB AmazonDAX"
    " AmazonTimestream",
    "Integration": "AWSQueueService AmazonSNS AWSEvents AmazonStates AmazonApiGateway AmazonMQ AWSAppSync",
    "Management and Governance": "AmazonCloudWatch AWSCloudTrail AWSConfig AWSBudgets AWSCostExplorer AWSXRay"
    " AWSSystemsManager AWSServiceCatalog AWSCloudFormation",
    "Networking": "AWSELB AmazonVPC AmazonRoute53 AmazonCloudFront AWSDirectConnect AWSDataTransfer"
    " AWSGlobalAccelerator AWSTransitGateway",
    "Security": "awskms AmazonGuardDuty AWSSecretsManager awswaf AmazonInspector AmazonMacie AWSSecurityHub AWSShield"
    " AWSCertificateManager AmazonDetective",
    "Storage": "AmazonS3 AmazonEFS AmazonGlacier AmazonFSx AWSBackup AWSStorageGateway AmazonS3GlacierDeepArchive",
}

CATEGORY_OF: Mapping[str, str] = {code: category for category, codes in _BY_CATEGORY.items() for code in codes.split()}
