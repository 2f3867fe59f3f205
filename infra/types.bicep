// The shapes of the larger parameters. Whoever deploys reads here what can be set.

@export()
@description('The monitor\'s own settings (docs/settings.md). What is left out keeps the default that the app has for it.')
type MonitorSettings = {
  @description('SAS_INSPECTION: how much of a SAS token the monitor may learn. With `value` also deploy roles.bicep with it.')
  sasInspection: ('none' | 'metadata' | 'value')?

  @description('STORAGE_ACCOUNTS: comma-separated resource ids of accounts that can\'t be found in the registry\'s subscription.')
  storageAccounts: string?

  @description('KEY_VAULTS: comma-separated resource ids of vaults that can\'t be found in the registry\'s subscription.')
  keyVaults: string?

  @description('ACR_API_VERSION: the api-version for pipelines and runs; older ones are tried where the cloud does not know it.')
  acrApiVersion: string?

  @description('SWEEP_SCHEDULE: NCRONTAB expression of six fields for the sweep.')
  sweepSchedule: string?

  @description('IMPORT_GRACE_MINUTES: how long after a blob lands an import may take to appear.')
  @minValue(1)
  importGraceMinutes: int?

  @description('RUN_STUCK_MINUTES: a run that is not over this long after its start is stuck.')
  @minValue(1)
  runStuckMinutes: int?

  @description('SWEEP_LOOKBACK_HOURS: the sweep diagnoses runs that ended within this time.')
  @minValue(1)
  sweepLookbackHours: int?

  @description('EXPIRY_WARNING_DAYS: how early an expiry is warned about.')
  @minValue(0)
  expiryWarningDays: int?

  @description('MUTES: JSON list of what is not to be alerted on, each entry with `until` and `reason`.')
  mutes: string?
}

@export()
@description('Addresses of the cloud. Needed for an air-gapped cloud only, or to override a single value; see docs/deploy.md.')
type CloudSettings = {
  @description('AZURE_CLOUD. Left out it follows from the cloud that is deployed to; a cloud that is not known is `Custom`.')
  name: ('AzureCloud' | 'AzureUSGovernment' | 'AzureChinaCloud' | 'Custom')?

  @description('ARM_ENDPOINT. In a custom cloud it follows from the cloud itself where it is left out.')
  armEndpoint: string?

  @description('ARM_SCOPE. In a custom cloud it follows from the cloud itself where it is left out.')
  armScope: string?

  @description('MONITOR_SCOPE: audience of the logs ingestion. Needed in a custom cloud.')
  monitorScope: string?

  @description('EVENTGRID_SCOPE: audience of Event Grid. Needed in a custom cloud.')
  eventGridScope: string?

  @description('STORAGE_AUDIENCE: audience of blobs. Needed in a custom cloud.')
  storageAudience: string?

  @description('REGISTRY_AUDIENCE: audience of registries. In a custom cloud that of ARM where it is left out.')
  registryAudience: string?

  @description('KEY_VAULT_DNS_SUFFIX. In a custom cloud it follows from the cloud itself where it is left out.')
  keyVaultDnsSuffix: string?

  @description('STORAGE_DNS_SUFFIX. In a custom cloud it follows from the cloud itself where it is left out.')
  storageDnsSuffix: string?

  @description('REGISTRY_DNS_SUFFIX. In a custom cloud it follows from the cloud itself where it is left out.')
  registryDnsSuffix: string?
}

@export()
@description('Where and how the code runs.')
type Hosting = {
  @description('The plan. FC1 (Flex Consumption) is the default; take B1 or P0v3 (dedicated) or EP1 (Elastic Premium) where a cloud lacks it.')
  plan: ('FC1' | 'EP1' | 'B1' | 'P0v3')?

  @description('FC1 and EP1: the most instances that may run. Default 40, and in many regions FC1 takes no fewer.')
  @minValue(1)
  @maxValue(1000)
  maximumInstanceCount: int?

  @description('FC1: memory of an instance. Default 2048.')
  instanceMemoryMB: (512 | 2048 | 4096)?

  @description('Redundancy of the storage account that holds state, code and dead letters. Default Standard_LRS, which every region has.')
  storageSku: ('Standard_LRS' | 'Standard_ZRS' | 'Standard_GRS' | 'Standard_GZRS')?
}

@export()
@description('For networks that are closed. Left out, everything has a public endpoint that only Entra ID identities can use.')
type Network = {
  @description('Resource id of the subnet that the app\'s outgoing traffic takes. Delegated to Microsoft.App/environments for FC1, to Microsoft.Web/serverFarms otherwise.')
  appSubnetId: string?

  @description('Resource id of the subnet for private endpoints. With it the storage account, the app and the alert topic each get one.')
  endpointSubnetId: string?

  @description('Resource ids of the private DNS zones for those endpoints. A zone that is left out is up to you (Azure Policy, own DNS).')
  dnsZoneIds: DnsZoneIds?

  @description('Whether the storage account can be reached from public networks. Default true. Without it, appSubnetId and endpointSubnetId are needed.')
  storagePublic: bool?

  @description('Whether the function app can be reached from public networks. Default true. Without it Event Grid can\'t push: take delivery \'queue\'.')
  appPublic: bool?

  @description('How events come: \'function\' (default) has Event Grid push them to the app; \'queue\' has it write them to a queue in the storage account, which the app reads. Needed without appPublic.')
  delivery: ('function' | 'queue')?

  @description('With separateIngestionEndpoint: whether that endpoint can be reached from public networks. Default true. Without it, an Azure Monitor private link scope of yours has to hold it.')
  ingestionPublic: bool?

  @description('Whether the alert topic can be reached from public networks. Default true.')
  topicPublic: bool?
}

@export()
@description('Private DNS zones, one for each kind of endpoint.')
type DnsZoneIds = {
  @description('Zone for blobs.')
  blob: string?

  @description('Zone for queues.')
  queue: string?

  @description('Zone for tables.')
  table: string?

  @description('Zone for function apps.')
  sites: string?

  @description('Zone for Event Grid topics.')
  topic: string?
}

@export()
@description('Names, for a naming convention of your own. What is left out gets a name that is the same at every deployment.')
type Names = {
  @description('Function app; part of a host name, so unique in the cloud.')
  @maxLength(60)
  functionApp: string?

  @description('Plan.')
  plan: string?

  @description('Storage account: 3 to 24 lower-case letters and digits, unique in the cloud.')
  @minLength(3)
  @maxLength(24)
  storageAccount: string?

  @description('The app\'s identity.')
  identity: string?

  @description('The identity that alert rules query with.')
  alertIdentity: string?

  @description('Log Analytics workspace.')
  workspace: string?

  @description('Application Insights.')
  applicationInsights: string?

  @description('Data collection rule.')
  @minLength(3)
  @maxLength(30)
  dataCollectionRule: string?

  @description('Event Grid topic for alerts.')
  alertTopic: string?

  @description('Action group.')
  actionGroup: string?
}

@export()
@description('What of the alert rules is not as they come.')
type AlertRules = {
  @description('Whether the rules are on. Default true.')
  enabled: bool?

  @description('Names of single rules that stay off, without the prefix: run-partial, token-expiring, ...')
  switchedOff: string[]?

  @description('How many days before a token or secret expires its rule fires. Default 14; EXPIRY_WARNING_DAYS is the most that can be had.')
  @minValue(1)
  @maxValue(365)
  expiryAlertDays: int?

  @description('How long no heartbeat may come before the monitor counts as silent: a multiple of what SWEEP_SCHEDULE says. Default PT1H.')
  silentAfter: ('PT30M' | 'PT1H' | 'PT2H' | 'PT6H' | 'P1D')?
}
