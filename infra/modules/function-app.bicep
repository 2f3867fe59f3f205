// The function app: Linux, Python, no keys anywhere. Its code is deployed afterwards, then events.bicep.

import { CloudSettings, MonitorSettings } from '../types.bicep'

@description('Name of the app.')
@minLength(2)
@maxLength(60)
param name string

@description('Region.')
param location string

@description('Tags. The app also gets azd\'s, by which `azd deploy` finds it.')
param tags object

@description('Resource id of the plan.')
param planId string

@description('What kind of plan that is.')
@allowed(['FC1', 'EP1', 'B1', 'P0v3'])
param planSku string

@description('FC1 only: the most instances that may run.')
@minValue(1)
@maxValue(1000)
param maximumInstanceCount int

@description('FC1 only: memory of an instance.')
@allowed([512, 2048, 4096])
param instanceMemoryMB int

@description('Resource id of the app\'s identity.')
param identityId string

@description('Client id of that identity.')
param identityClientId string

@description('Blob endpoint of the host storage.')
param blobEndpoint string

@description('Queue endpoint of the host storage.')
param queueEndpoint string

@description('Table endpoint of the host storage.')
param tableEndpoint string

@description('URL of the container that the code is deployed to.')
param packageContainerUrl string

@description('Name of the Application Insights component in this resource group.')
param insightsName string

@description('MONITORED_REGISTRIES: comma-separated resource ids of registries, or /subscriptions/<id> for all of one.')
@minLength(1)
param monitoredRegistries string

@description('LOGS_INGESTION_ENDPOINT: where findings are sent.')
param logsIngestionEndpoint string

@description('LOGS_DCR_IMMUTABLE_ID: the data collection rule that takes them.')
param dcrImmutableId string

@description('LOGS_STREAM_NAME: the stream that they are sent as.')
param streamName string

@description('STATE_CONTAINER_URL: the container with the monitor\'s state.')
param stateContainerUrl string

@description('ALERT_TOPIC_ENDPOINT: the topic for immediate alerts; empty for none.')
param alertTopicEndpoint string

@description('EVENT_QUEUE: the queue that Event Grid writes to where it can\'t reach the app; empty for none.')
param eventQueueName string

@description('The monitor\'s own settings.')
param settings MonitorSettings

@description('Addresses of the cloud.')
param cloud CloudSettings

@description('Resource id of the subnet for outgoing traffic; empty for none.')
param subnetId string

@description('Whether public networks reach the app.')
param publicAccess bool

var pythonVersion = '3.13'
var flex = planSku == 'FC1'
var premium = planSku == 'EP1'

var knownClouds = ['AzureCloud', 'AzureUSGovernment', 'AzureChinaCloud']
var cloudName = cloud.?name ?? (contains(knownClouds, environment().name) ? environment().name : 'Custom')
// What a custom cloud says of itself. Of a known one the app has the addresses, and empty leaves them to it.
var custom = cloudName == 'Custom'
var customArm = custom ? environment().resourceManager : ''
var customAudience = custom ? environment().authentication.audiences[0] : ''
var customVaults = custom ? environment().suffixes.keyvaultDns : ''
var customStorage = custom ? environment().suffixes.storage : ''
var customRegistries = custom ? environment().suffixes.acrLoginServer : ''

// All settings of docs/settings.md. An empty one is left out, so that the app's default holds.
var contract = {
  MONITORED_REGISTRIES: monitoredRegistries
  LOGS_INGESTION_ENDPOINT: logsIngestionEndpoint
  LOGS_DCR_IMMUTABLE_ID: dcrImmutableId
  LOGS_STREAM_NAME: streamName
  ALERT_TOPIC_ENDPOINT: alertTopicEndpoint
  STATE_CONTAINER_URL: stateContainerUrl
  SAS_INSPECTION: settings.?sasInspection ?? ''
  STORAGE_ACCOUNTS: settings.?storageAccounts ?? ''
  KEY_VAULTS: settings.?keyVaults ?? ''
  ACR_API_VERSION: settings.?acrApiVersion ?? ''
  AZURE_CLOUD: cloudName
  ARM_ENDPOINT: cloud.?armEndpoint ?? customArm
  ARM_SCOPE: cloud.?armScope ?? customAudience
  MONITOR_SCOPE: cloud.?monitorScope ?? ''
  EVENTGRID_SCOPE: cloud.?eventGridScope ?? ''
  STORAGE_AUDIENCE: cloud.?storageAudience ?? ''
  REGISTRY_AUDIENCE: cloud.?registryAudience ?? customArm
  KEY_VAULT_DNS_SUFFIX: cloud.?keyVaultDnsSuffix ?? customVaults
  STORAGE_DNS_SUFFIX: cloud.?storageDnsSuffix ?? customStorage
  REGISTRY_DNS_SUFFIX: cloud.?registryDnsSuffix ?? customRegistries
  AZURE_CLIENT_ID: identityClientId
  EVENT_QUEUE: eventQueueName
  SWEEP_SCHEDULE: settings.?sweepSchedule ?? ''
  IMPORT_GRACE_MINUTES: string(settings.?importGraceMinutes ?? '')
  RUN_STUCK_MINUTES: string(settings.?runStuckMinutes ?? '')
  SWEEP_LOOKBACK_HOURS: string(settings.?sweepLookbackHours ?? '')
  EXPIRY_WARNING_DAYS: string(settings.?expiryWarningDays ?? '')
  MUTES: settings.?mutes ?? ''
}

// The host's own storage by identity. URIs, not the account's name: the host would build its addresses from that.
var hostStorage = {
  AzureWebJobsStorage__blobServiceUri: blobEndpoint
  AzureWebJobsStorage__queueServiceUri: queueEndpoint
  AzureWebJobsStorage__tableServiceUri: tableEndpoint
  AzureWebJobsStorage__credential: 'managedidentity'
  AzureWebJobsStorage__clientId: identityClientId
}
// Flex Consumption takes these from functionAppConfig and refuses them as settings.
var runtime = {
  FUNCTIONS_EXTENSION_VERSION: '~4'
  FUNCTIONS_WORKER_RUNTIME: 'python'
}
// Elastic Premium would keep the code on a file share, which takes a key: a package in the container needs none.
var premiumPackage = {
  WEBSITE_RUN_FROM_PACKAGE: '${packageContainerUrl}/app.zip'
  WEBSITE_RUN_FROM_PACKAGE_BLOB_MI_RESOURCE_ID: identityId
}
var dedicatedBuild = {
  SCM_DO_BUILD_DURING_DEPLOYMENT: 'true'
  ENABLE_ORYX_BUILD: 'true'
}
var platform = union(hostStorage, flex ? {} : union(runtime, premium ? premiumPackage : dedicatedBuild))
var given = filter(items(union(contract, platform)), setting => !empty(setting.value))

resource insights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: insightsName
}

resource app 'Microsoft.Web/sites@2023-12-01' = {
  name: name
  location: location
  tags: union(tags, { 'azd-service-name': 'monitor' })
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${identityId}': {}
    }
  }
  // Flex Consumption is Linux, routes everything through its subnet and has its runtime in functionAppConfig: it
  // refuses the older properties for that, which null leaves out.
  properties: {
    serverFarmId: planId
    reserved: flex ? null : true
    httpsOnly: true
    publicNetworkAccess: publicAccess ? 'Enabled' : 'Disabled'
    virtualNetworkSubnetId: empty(subnetId) ? null : subnetId
    vnetRouteAllEnabled: flex || empty(subnetId) ? null : true
    functionAppConfig: flex
      ? {
          deployment: {
            storage: {
              type: 'blobContainer'
              value: packageContainerUrl
              authentication: {
                type: 'UserAssignedIdentity'
                userAssignedIdentityResourceId: identityId
              }
            }
          }
          runtime: {
            name: 'python'
            version: pythonVersion
          }
          scaleAndConcurrency: {
            maximumInstanceCount: maximumInstanceCount
            instanceMemoryMB: instanceMemoryMB
          }
        }
      : null
    siteConfig: {
      minTlsVersion: '1.2'
      linuxFxVersion: flex ? null : 'Python|${pythonVersion}'
      ftpsState: flex ? null : 'Disabled'
      // The sweep's timer must not fall asleep on a dedicated plan; the elastic ones wake up for it.
      alwaysOn: flex || premium ? null : true
      appSettings: concat(
        map(given, setting => { name: setting.key, value: setting.value }),
        [
          {
            name: 'APPLICATIONINSIGHTS_CONNECTION_STRING'
            value: insights.properties.ConnectionString
          }
          {
            name: 'APPLICATIONINSIGHTS_AUTHENTICATION_STRING'
            value: 'ClientId=${identityClientId};Authorization=AAD'
          }
        ]
      )
    }
  }
}

// Deployment takes an Entra ID token; user names and passwords for it are switched off.
resource noFtp 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2023-12-01' = {
  parent: app
  name: 'ftp'
  properties: {
    allow: false
  }
}

resource noScm 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2023-12-01' = {
  parent: app
  name: 'scm'
  properties: {
    allow: false
  }
  // Two writes to one site's policies at the same time are refused with a conflict.
  dependsOn: [noFtp]
}

@description('Resource id.')
output id string = app.id

@description('Name of the app.')
output name string = app.name
