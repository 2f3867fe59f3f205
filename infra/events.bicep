// Second stage: what tells the function app about runs and blobs, directly or by a queue. Deploy it into the monitor's
// resource group once the code is deployed: Event Grid refuses a subscription whose function does not exist.
//
// Topics, subscriptions and their alerts are made beside their sources, also in other subscriptions of the tenant. Whoever
// deploys it needs Microsoft.EventGrid/*/write and Microsoft.Insights/metricAlerts/write there, and roleAssignments/write on
// the dead-letter container and the queue.
targetScope = 'resourceGroup'

@description('What differs for one source from the parameter form.')
type sourceSettings = {
  @description('Resource id of the resource group (run events) or the storage account (blob events).')
  sourceId: string

  @description('"Own" makes a system topic, "Existing" takes the one that the source has (there can be only one; it has to lie in the source\'s resource group), "Extension" leaves it to Event Grid and has no dead letters.')
  form: 'Own' | 'Existing' | 'Extension'

  @description('Name of the existing topic.')
  topicName: string?

  @description('Principal id of the existing topic\'s system-assigned identity. Without it, events that can\'t be delivered are dropped, and with a queue the topic\'s owner has to give that identity its role.')
  topicPrincipalId: string?
}

@description('Name of the function app: FUNCTION_APP_NAME of the main deployment.')
param functionAppName string

@description('"function" has Event Grid push events to the app, "queue" has it write them to a queue that the app reads: EVENT_DELIVERY of the main deployment. A queue takes a topic with an identity, so not the form "Extension".')
@allowed(['function', 'queue'])
param delivery string = 'function'

@description('The queue, in the storage account of the dead letters: EVENT_QUEUE_NAME of the main deployment.')
param eventQueueName string = ''

@description('Storage account of the dead letters: STORAGE_ACCOUNT_NAME of the main deployment.')
param deadLetterAccountName string

@description('Container of the dead letters: DEAD_LETTER_CONTAINER_NAME of the main deployment.')
param deadLetterContainerName string

@description('Resource ids of the registries to watch (MONITORED_REGISTRIES). An entry for a whole subscription raises no events here: name its registries, or leave them to the sweep.')
param registryIds string[]

@description('Resource ids of the transfer containers whose blobs are to be told of: <storage account id>/blobServices/default/containers/<name>.')
param containerIds string[] = []

@description('How events are subscribed to where sources says nothing else.')
@allowed(['Own', 'Extension'])
param form string = 'Own'

@description('Sources that differ, such as those that have a system topic already.')
param sources sourceSettings[] = []

@description('Action groups that are told of dead letters: ACTION_GROUP_IDS of the main deployment.')
param actionGroupIds string[] = []

@description('Whether dead letters raise an alert.')
param alertsEnabled bool = true

@description('Tags of the topics.')
param tags object = {}

resource app 'Microsoft.Web/sites@2023-12-01' existing = {
  name: functionAppName

  resource runFunction 'functions' existing = {
    name: 'pipeline_run_completed'
  }

  resource blobFunction 'functions' existing = {
    name: 'transfer_blob_created'
  }
}

resource deadLetterAccount 'Microsoft.Storage/storageAccounts@2023-05-01' existing = {
  name: deadLetterAccountName
}

// /subscriptions/<id>/resourcegroups/<name>/providers/microsoft.containerregistry/registries/<name>: the group is the first five parts.
var registries = filter(map(registryIds, id => toLower(trim(id))), id => length(split(id, '/')) > 8)
var groups = union([], map(registries, id => join(take(split(id, '/'), 5), '/')))
var containers = union([], filter(map(containerIds, id => toLower(trim(id))), id => !empty(id)))
var accounts = union([], map(containers, id => join(take(split(id, '/'), 9), '/')))

var settingsOfGroups = map(groups, id => first(filter(sources, source => toLower(source.sourceId) == id)))
var settingsOfAccounts = map(accounts, id => first(filter(sources, source => toLower(source.sourceId) == id)))

module runEvents 'modules/events-registry.bicep' = [
  for (id, i) in groups: {
    name: 'acrtm-run-events-${uniqueString(id, app.id)}'
    scope: resourceGroup(split(id, '/')[2], split(id, '/')[4])
    params: {
      form: settingsOfGroups[i].?form ?? form
      topicName: settingsOfGroups[i].?topicName ?? 'acrtm-runs-${uniqueString(id)}'
      topicPrincipalId: settingsOfGroups[i].?topicPrincipalId ?? ''
      functionId: app::runFunction.id
      delivery: delivery
      eventQueueName: eventQueueName
      deadLetterAccountId: deadLetterAccount.id
      deadLetterContainerName: deadLetterContainerName
      tags: tags
    }
  }
]

module accountLocations 'modules/events-account-location.bicep' = [
  for id in accounts: {
    name: 'acrtm-account-${uniqueString(id, app.id)}'
    scope: resourceGroup(split(id, '/')[2], split(id, '/')[4])
    params: {
      accountName: split(id, '/')[8]
    }
  }
]

module blobEvents 'modules/events-storage.bicep' = [
  for (id, i) in accounts: {
    name: 'acrtm-blob-events-${uniqueString(id, app.id)}'
    scope: resourceGroup(split(id, '/')[2], split(id, '/')[4])
    params: {
      accountName: split(id, '/')[8]
      location: accountLocations[i].outputs.location
      containerNames: map(filter(containers, container => startsWith(container, '${id}/')), container => last(split(container, '/')))
      form: settingsOfAccounts[i].?form ?? form
      topicName: settingsOfAccounts[i].?topicName ?? 'acrtm-blobs-${uniqueString(id)}'
      topicPrincipalId: settingsOfAccounts[i].?topicPrincipalId ?? ''
      functionId: app::blobFunction.id
      delivery: delivery
      eventQueueName: eventQueueName
      deadLetterAccountId: deadLetterAccount.id
      deadLetterContainerName: deadLetterContainerName
      tags: tags
    }
  }
]

module runTopicAlerts 'modules/alerts-topics.bicep' = [
  for (id, i) in groups: if (alertsEnabled && (settingsOfGroups[i].?form ?? form) != 'Extension') {
    name: 'acrtm-run-events-alert-${uniqueString(id, app.id)}'
    scope: resourceGroup(split(id, '/')[2], split(id, '/')[4])
    params: {
      topicId: runEvents[i].outputs.topicId
      actionGroupIds: actionGroupIds
      tags: tags
      enabled: true
    }
  }
]

module blobTopicAlerts 'modules/alerts-topics.bicep' = [
  for (id, i) in accounts: if (alertsEnabled && (settingsOfAccounts[i].?form ?? form) != 'Extension') {
    name: 'acrtm-blob-events-alert-${uniqueString(id, app.id)}'
    scope: resourceGroup(split(id, '/')[2], split(id, '/')[4])
    params: {
      topicId: blobEvents[i].outputs.topicId
      actionGroupIds: actionGroupIds
      tags: tags
      enabled: true
    }
  }
]

@description('Resource groups whose pipeline runs raise events, in lower case.')
output EVENT_SOURCES_RUNS string[] = groups

@description('Storage accounts whose blobs raise events, in lower case.')
output EVENT_SOURCES_BLOBS string[] = accounts

@description('Entries of sources that fit no resource group and no storage account of the lists: most likely misspelt.')
output EVENT_SOURCES_UNKNOWN string[] = map(
  filter(sources, source => !contains(concat(groups, accounts), toLower(source.sourceId))),
  source => source.sourceId
)
