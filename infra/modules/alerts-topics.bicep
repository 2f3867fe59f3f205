// Alerts on a system topic: events that were given up. Deployed into the topic's resource group, once for each topic.
targetScope = 'resourceGroup'

@description('Tags of the rules.')
param tags object

@description('Resource id of the system topic.')
param topicId string

@description('Resource ids of the action groups to tell.')
param actionGroupIds string[]

@description('Whether the rules are on.')
param enabled bool = true

var topicName = last(split(topicId, '/'))

var undelivered = [
  {
    name: 'dead-letters'
    metric: 'DeadLetteredCount'
    text: 'Event Grid has given up events for the ACR Transfer Monitor after a day and kept them as dead letters. Do now: repair what stops the function app (acrtm doctor names it) or, where events go through a queue, give the topic\'s identity Storage Queue Data Message Sender on it; then run acrtm replay on the dead-letter container; the exit codes say whether all of them were taken. The sweep finds most runs by itself meanwhile.'
  }
  {
    name: 'events-dropped'
    metric: 'DroppedEventCount'
    text: 'Event Grid has given up events for the ACR Transfer Monitor and could not even keep them as dead letters. Do now: repair what stops the function app (acrtm doctor names it) and give the topic\'s identity Storage Blob Data Contributor on the dead-letter container. The sweep finds the runs by itself; a rejected write that left no run is lost.'
  }
]

module topicAlerts 'metric-alert.bicep' = [for alert in undelivered: {
  // A topic's name may have 128 characters, a deployment's 64.
  name: 'acrtm-${alert.name}-${uniqueString(topicId)}'
  params: {
    tags: tags
    name: '${topicName}-${alert.name}'
    text: alert.text
    severity: 2
    enabled: enabled
    targetId: topicId
    metricNamespace: 'Microsoft.EventGrid/systemTopics'
    metricName: alert.metric
    dimension: 'EventSubscriptionName'
    actionGroupIds: actionGroupIds
  }
}]
