// The whole monitor in one resource group, all but the event subscriptions: those need the code first (events.bicep).
// For whoever may not deploy to a subscription: `az deployment group create --template-file infra/monitor.bicep`.

import { AlertRules, CloudSettings, Hosting, MonitorSettings, Names, Network } from 'types.bicep'

@description('Name of this environment. Names of resources are made from it, so keep it the same for upgrades.')
@minLength(1)
@maxLength(32)
param environmentName string

@description('Region of all resources but those that have to be where the workspace is.')
param location string = resourceGroup().location

@description('Tags of every resource.')
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
var token = toLower(uniqueString(resourceGroup().id, environmentName))
var plan = hosting.?plan ?? 'FC1'
var maximumInstanceCount = hosting.?maximumInstanceCount ?? 40
var endpointSubnetId = network.?endpointSubnetId ?? ''
var storagePublic = network.?storagePublic ?? true
var appPublic = network.?appPublic ?? true
var delivery = network.?delivery ?? 'function'
var topicPublic = network.?topicPublic ?? true

var workspaceName = names.?workspace ?? '${abbreviations.workspace}${token}'
var workspaceId = empty(existingWorkspaceId)
  ? resourceId('Microsoft.OperationalInsights/workspaces', workspaceName)
  : existingWorkspaceId
// A workspace's resource id: /subscriptions/2/resourceGroups/4/providers/6/workspaces/8.
var workspaceSubscriptionId = split(workspaceId, '/')[2]
var workspaceResourceGroup = split(workspaceId, '/')[4]

module identity 'modules/identity.bicep' = {
  name: 'identity'
  params: {
    name: names.?identity ?? '${abbreviations.managedIdentity}${token}'
    location: location
    tags: tags
  }
}

module alertIdentity 'modules/identity.bicep' = {
  name: 'alert-identity'
  params: {
    name: names.?alertIdentity ?? '${abbreviations.managedIdentity}alerts-${token}'
    location: location
    tags: tags
  }
}

module storage 'modules/storage.bicep' = {
  name: 'storage'
  params: {
    name: names.?storageAccount ?? '${abbreviations.storageAccount}${token}'
    location: location
    tags: tags
    sku: hosting.?storageSku ?? 'Standard_LRS'
    publicAccess: storagePublic
    principalId: identity.outputs.principalId
    eventQueue: delivery == 'queue'
    deadLetterRetentionDays: deadLetterRetentionDays
  }
}

module workspace 'modules/workspace.bicep' = if (empty(existingWorkspaceId)) {
  name: 'workspace'
  params: {
    name: workspaceName
    location: location
    tags: tags
    retentionDays: max(30, findingsRetentionDays)
  }
}

module table 'modules/findings-table.bicep' = {
  name: 'findings-table-${token}'
  scope: resourceGroup(workspaceSubscriptionId, workspaceResourceGroup)
  params: {
    workspaceName: last(split(workspaceId, '/'))
    retentionDays: findingsRetentionDays
    alertPrincipalId: alertIdentity.outputs.principalId
  }
  dependsOn: [workspace]
}

module dataCollection 'modules/data-collection.bicep' = {
  name: 'data-collection'
  params: {
    name: names.?dataCollectionRule ?? '${abbreviations.dataCollectionRule}${token}'
    location: table.outputs.workspaceLocation
    tags: tags
    workspaceId: workspaceId
    tableName: table.outputs.tableName
    separateEndpoint: separateIngestionEndpoint
    endpointName: '${abbreviations.dataCollectionEndpoint}${token}'
    endpointPublic: network.?ingestionPublic ?? true
    principalId: identity.outputs.principalId
  }
}

module insights 'modules/insights.bicep' = {
  name: 'insights'
  params: {
    name: names.?applicationInsights ?? '${abbreviations.applicationInsights}${token}'
    location: location
    tags: tags
    workspaceId: workspaceId
    principalId: identity.outputs.principalId
  }
  dependsOn: [workspace]
}

module topic 'modules/alert-topic.bicep' = if (alertTopic) {
  name: 'alert-topic'
  params: {
    name: names.?alertTopic ?? '${abbreviations.eventGridTopic}${token}'
    location: location
    tags: tags
    publicAccess: topicPublic
    workspaceId: workspaceId
    principalId: identity.outputs.principalId
  }
  dependsOn: [workspace]
}

module hostingPlan 'modules/plan.bicep' = {
  name: 'plan'
  params: {
    name: names.?plan ?? '${abbreviations.plan}${token}'
    location: location
    tags: tags
    sku: plan
    maximumInstanceCount: maximumInstanceCount
  }
}

// The compiler can't see that these are only read where the module is deployed.
#disable-next-line BCP318
var alertTopicEndpoint = alertTopic ? topic.outputs.endpoint : ''
#disable-next-line BCP318
var alertTopicId = alertTopic ? topic.outputs.id : ''

module functionApp 'modules/function-app.bicep' = {
  name: 'function-app'
  params: {
    name: names.?functionApp ?? '${abbreviations.functionApp}${token}'
    location: location
    tags: tags
    planId: hostingPlan.outputs.id
    planSku: plan
    maximumInstanceCount: maximumInstanceCount
    instanceMemoryMB: hosting.?instanceMemoryMB ?? 2048
    identityId: identity.outputs.id
    identityClientId: identity.outputs.clientId
    blobEndpoint: storage.outputs.blobEndpoint
    queueEndpoint: storage.outputs.queueEndpoint
    tableEndpoint: storage.outputs.tableEndpoint
    packageContainerUrl: storage.outputs.packageContainerUrl
    insightsName: insights.outputs.name
    monitoredRegistries: monitoredRegistries
    logsIngestionEndpoint: dataCollection.outputs.ingestionEndpoint
    dcrImmutableId: dataCollection.outputs.immutableId
    streamName: dataCollection.outputs.streamName
    stateContainerUrl: storage.outputs.stateContainerUrl
    alertTopicEndpoint: alertTopicEndpoint
    eventQueueName: storage.outputs.eventQueueName
    settings: settings
    cloud: cloud
    subnetId: network.?appSubnetId ?? ''
    publicAccess: appPublic
  }
  // With a closed storage account the app starts only once the way to it is there.
  dependsOn: [storageEndpoints]
}

var storageGroups = [
  { id: 'blob', zone: network.?dnsZoneIds.?blob ?? '' }
  { id: 'queue', zone: network.?dnsZoneIds.?queue ?? '' }
  { id: 'table', zone: network.?dnsZoneIds.?table ?? '' }
]

module storageEndpoints 'modules/private-endpoint.bicep' = [
  for group in storageGroups: if (!empty(endpointSubnetId)) {
    name: 'private-endpoint-${group.id}'
    params: {
      name: '${abbreviations.privateEndpoint}${token}-${group.id}'
      location: location
      tags: tags
      subnetId: endpointSubnetId
      targetId: storage.outputs.id
      groupId: group.id
      dnsZoneId: group.zone
    }
  }
]

module appEndpoint 'modules/private-endpoint.bicep' = if (!empty(endpointSubnetId)) {
  name: 'private-endpoint-sites'
  params: {
    name: '${abbreviations.privateEndpoint}${token}-sites'
    location: location
    tags: tags
    subnetId: endpointSubnetId
    targetId: functionApp.outputs.id
    groupId: 'sites'
    dnsZoneId: network.?dnsZoneIds.?sites ?? ''
  }
}

module topicEndpoint 'modules/private-endpoint.bicep' = if (alertTopic && !empty(endpointSubnetId)) {
  name: 'private-endpoint-topic'
  params: {
    name: '${abbreviations.privateEndpoint}${token}-topic'
    location: location
    tags: tags
    subnetId: endpointSubnetId
    targetId: alertTopicId
    groupId: 'topic'
    dnsZoneId: network.?dnsZoneIds.?topic ?? ''
  }
}

var emails = filter(map(split(alertEmails, ','), email => trim(email)), email => !empty(email))
var groupIds = filter(map(split(existingActionGroupIds, ','), id => trim(id)), id => !empty(id))

module actionGroup 'modules/action-group.bicep' = if (!empty(emails)) {
  name: 'action-group'
  params: {
    name: names.?actionGroup ?? '${abbreviations.actionGroup}${token}'
    tags: tags
    emails: emails
  }
}

#disable-next-line BCP318
var ownActionGroupIds = empty(emails) ? [] : [actionGroup.outputs.id]
var actionGroupIds = concat(groupIds, ownActionGroupIds)

module alerts 'modules/alerts.bicep' = {
  name: 'alerts'
  params: {
    location: table.outputs.workspaceLocation
    tags: tags
    prefix: 'acr-transfer-${environmentName}'
    workspaceId: workspaceId
    actionGroupIds: actionGroupIds
    identityId: alertIdentity.outputs.id
    appInsightsId: insights.outputs.id
    dcrId: dataCollection.outputs.id
    alertTopicId: alertTopicId
    enabled: alertRules.?enabled ?? true
    rulesSwitchedOff: alertRules.?switchedOff ?? []
    expiryAlertDays: alertRules.?expiryAlertDays ?? 14
    silentAfter: alertRules.?silentAfter ?? 'PT1H'
  }
}

module queries 'modules/queries.bicep' = {
  name: 'queries-${token}'
  scope: resourceGroup(workspaceSubscriptionId, workspaceResourceGroup)
  params: {
    workspaceName: last(split(workspaceId, '/'))
  }
  // A saved function is checked against the table that it reads.
  dependsOn: [table]
}

module queryPack 'modules/queries-pack.bicep' = {
  name: 'query-pack'
  params: {
    location: location
    tags: tags
    name: '${abbreviations.queryPack}${token}'
  }
}

module workbook 'modules/workbook.bicep' = {
  name: 'workbook'
  params: {
    location: location
    tags: tags
    workspaceId: workspaceId
    displayName: 'ACR Transfer Monitor (${environmentName})'
  }
}

@description('Name of the function app.')
output functionAppName string = functionApp.outputs.name

@description('Resource id of the function app.')
output functionAppId string = functionApp.outputs.id

@description('Whether Event Grid can push to the function app.')
output functionAppPublic bool = appPublic

@description('How events come: function or queue.')
output eventDelivery string = delivery

@description('Name of the queue that Event Grid writes to; empty if there is none.')
output eventQueueName string = storage.outputs.eventQueueName

@description('Resource id of the app\'s identity.')
output identityId string = identity.outputs.id

@description('Client id of the app\'s identity.')
output identityClientId string = identity.outputs.clientId

@description('Object id of the app\'s identity, for roles.bicep.')
output identityPrincipalId string = identity.outputs.principalId

@description('What is watched.')
output monitoredRegistries string = monitoredRegistries

@description('How much of a SAS token the monitor may learn.')
output sasInspection string = settings.?sasInspection ?? 'metadata'

@description('Resource id of the storage account.')
output storageAccountId string = storage.outputs.id

@description('Name of the storage account.')
output storageAccountName string = storage.outputs.name

@description('URL of the container with the monitor\'s state.')
output stateContainerUrl string = storage.outputs.stateContainerUrl

@description('Name of the container for dead-lettered events.')
output deadLetterContainerName string = storage.outputs.deadLetterContainerName

@description('Where findings are sent.')
output logsIngestionEndpoint string = dataCollection.outputs.ingestionEndpoint

@description('Resource id of the data collection rule.')
output dcrId string = dataCollection.outputs.id

@description('Immutable id of the data collection rule.')
output dcrImmutableId string = dataCollection.outputs.immutableId

@description('The stream that findings are sent as.')
output streamName string = dataCollection.outputs.streamName

@description('Resource id of the workspace.')
output workspaceId string = workspaceId

@description('Name of the workspace.')
output workspaceName string = last(split(workspaceId, '/'))

@description('Resource id of Application Insights.')
output applicationInsightsId string = insights.outputs.id

@description('Resource id of the alert topic; empty if there is none.')
output alertTopicId string = alertTopicId

@description('Endpoint of the alert topic; empty if there is none.')
output alertTopicEndpoint string = alertTopicEndpoint

@description('Resource ids of the action groups that are told.')
output actionGroupIds string[] = actionGroupIds
