// Stage one of two, for `azd up` or `az deployment sub create`: a resource group with the whole monitor in it.
// Then the code, then events.bicep; docs/deploy.md has the commands.

targetScope = 'subscription'

import { AlertRules, CloudSettings, Hosting, MonitorSettings, Names, Network } from 'types.bicep'

@description('Name of this environment. Names of resources are made from it, so keep it the same for upgrades.')
@minLength(1)
@maxLength(32)
param environmentName string

@description('Region of the resource group and of what is in it.')
@metadata({ azd: { type: 'location' } })
@minLength(1)
param location string

@description('Name of the resource group; empty takes one from the environment\'s name. Into a group that others made, deploy monitor.bicep instead: this sets the group\'s tags.')
@maxLength(90)
param resourceGroupName string = ''

@description('Tags of every resource, beside azd\'s own.')
param tags object = {}

@description('What to watch: comma-separated resource ids of registries, or /subscriptions/<id> for all of one.')
@minLength(1)
param monitoredRegistries string

@description('The monitor\'s own settings.')
param settings MonitorSettings = {}

@description('Addresses of the cloud, for an air-gapped one.')
param cloud CloudSettings = {}

@description('Where and how the code runs.')
param hosting Hosting = {}

@description('Closed networks.')
param network Network = {}

@description('Names of the resources, for a convention of your own.')
param names Names = {}

@description('Resource id of a Log Analytics workspace to use, also of another resource group or subscription; empty makes one.')
param existingWorkspaceId string = ''

@description('Days that findings can be queried.')
@minValue(4)
@maxValue(730)
param findingsRetentionDays int = 90

@description('Days after which a dead-lettered event is deleted.')
@minValue(7)
@maxValue(365)
param deadLetterRetentionDays int = 30

@description('Whether rows take a data collection endpoint: for private links, and where a cloud has no rules of kind Direct.')
param separateIngestionEndpoint bool = false

@description('Whether to make an Event Grid topic for immediate alerts.')
param alertTopic bool = false

@description('What of the alert rules is not as they come.')
param alertRules AlertRules = {}

@description('E-mail addresses to tell when an alert rule fires, comma-separated; with any, an action group is made.')
param alertEmails string = ''

@description('Resource ids of action groups to tell, comma-separated. Without these and without addresses nobody is told.')
param existingActionGroupIds string = ''

var abbreviations = loadJsonContent('abbreviations.json')
var allTags = union(tags, { 'azd-env-name': environmentName })

resource group 'Microsoft.Resources/resourceGroups@2022-09-01' = {
  name: empty(resourceGroupName) ? '${abbreviations.resourceGroup}${environmentName}' : resourceGroupName
  location: location
  tags: allTags
}

module monitor 'monitor.bicep' = {
  name: 'acr-transfer-monitor'
  scope: group
  params: {
    environmentName: environmentName
    location: location
    tags: allTags
    monitoredRegistries: monitoredRegistries
    settings: settings
    cloud: cloud
    hosting: hosting
    network: network
    names: names
    existingWorkspaceId: existingWorkspaceId
    findingsRetentionDays: findingsRetentionDays
    deadLetterRetentionDays: deadLetterRetentionDays
    separateIngestionEndpoint: separateIngestionEndpoint
    alertTopic: alertTopic
    alertRules: alertRules
    alertEmails: alertEmails
    existingActionGroupIds: existingActionGroupIds
  }
}

@description('Region.')
output AZURE_LOCATION string = location

@description('Name of the resource group.')
output AZURE_RESOURCE_GROUP string = group.name

@description('Name of the function app.')
output FUNCTION_APP_NAME string = monitor.outputs.functionAppName

@description('Resource id of the function app.')
output FUNCTION_APP_ID string = monitor.outputs.functionAppId

@description('Whether Event Grid can push to the function app.')
output FUNCTION_APP_PUBLIC bool = monitor.outputs.functionAppPublic

@description('How events come: function or queue.')
output EVENT_DELIVERY string = monitor.outputs.eventDelivery

@description('Name of the queue that Event Grid writes to; empty if there is none.')
output EVENT_QUEUE_NAME string = monitor.outputs.eventQueueName

@description('Resource id of the app\'s identity.')
output MONITOR_IDENTITY_ID string = monitor.outputs.identityId

@description('Client id of the app\'s identity.')
output MONITOR_IDENTITY_CLIENT_ID string = monitor.outputs.identityClientId

@description('Object id of the app\'s identity, for roles.bicep.')
output MONITOR_IDENTITY_PRINCIPAL_ID string = monitor.outputs.identityPrincipalId

@description('What is watched.')
output MONITORED_REGISTRIES string = monitor.outputs.monitoredRegistries

@description('How much of a SAS token the monitor may learn.')
output SAS_INSPECTION string = monitor.outputs.sasInspection

@description('Resource id of the storage account.')
output STORAGE_ACCOUNT_ID string = monitor.outputs.storageAccountId

@description('Name of the storage account.')
output STORAGE_ACCOUNT_NAME string = monitor.outputs.storageAccountName

@description('URL of the container with the monitor\'s state.')
output STATE_CONTAINER_URL string = monitor.outputs.stateContainerUrl

@description('Name of the container for dead-lettered events.')
output DEAD_LETTER_CONTAINER_NAME string = monitor.outputs.deadLetterContainerName

@description('Where findings are sent.')
output LOGS_INGESTION_ENDPOINT string = monitor.outputs.logsIngestionEndpoint

@description('Resource id of the data collection rule.')
output LOGS_DCR_ID string = monitor.outputs.dcrId

@description('Immutable id of the data collection rule.')
output LOGS_DCR_IMMUTABLE_ID string = monitor.outputs.dcrImmutableId

@description('The stream that findings are sent as.')
output LOGS_STREAM_NAME string = monitor.outputs.streamName

@description('Resource id of the workspace.')
output WORKSPACE_ID string = monitor.outputs.workspaceId

@description('Name of the workspace.')
output WORKSPACE_NAME string = monitor.outputs.workspaceName

@description('Resource id of Application Insights.')
output APPLICATION_INSIGHTS_ID string = monitor.outputs.applicationInsightsId

@description('Resource id of the alert topic; empty if there is none.')
output ALERT_TOPIC_ID string = monitor.outputs.alertTopicId

@description('Endpoint of the alert topic; empty if there is none.')
output ALERT_TOPIC_ENDPOINT string = monitor.outputs.alertTopicEndpoint

@description('Resource ids of the action groups that are told.')
output ACTION_GROUP_IDS string[] = monitor.outputs.actionGroupIds
